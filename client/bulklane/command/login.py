"""`bulklane login`, `logout` and `profiles`: where a service is, and the key for it."""

import sys
from dataclasses import replace
from typing import Annotated

import typer

from bulklane._sync.client import Bulklane
from bulklane._sync.transport import Transport
from bulklane.calls import get
from bulklane.command.connection import PROFILE_VARIABLE, QUICK, running_service
from bulklane.command.output import AsJson, show_list, tell
from bulklane.command.profiles import DEFAULT, Profile, load_profiles, profiles_file, save_profiles
from bulklane.command.reporting import fail, reported
from bulklane.settings import read_settings

EXAMPLES = """
[bold]Examples[/]

  $ bulklane login
  $ bulklane login --url https://bulklane.example.com --profile staging
  $ bulklane login --url https://bulklane.example.com < key.txt

[bold]Where the other commands find the service and the key[/]

  1. the options --url and --key; 2. the profile that --profile or BULKLANE_PROFILE names;
  3. BULKLANE_URL and BULKLANE_API_KEY; 4. the profile "default"; 5. the service that ./run has
  started in this folder. A key is used for the URL that stands beside it, and for no other one.
"""
Name = Annotated[
    str,
    typer.Option("--profile", help="The name of the profile.", envvar=PROFILE_VARIABLE),
]


def login(
    *,
    url: Annotated[str | None, typer.Option(help="Where the service is.", show_default=False)] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="The key; - reads it from standard input. Other users of this machine can see what "
            "stands on a command line.",
            show_default=False,
        ),
    ] = None,
    profile: Name = DEFAULT,
    operator: Annotated[
        bool, typer.Option("--operator", help="The key is that of the operator: for `bulklane operator`.")
    ] = False,
) -> None:
    """Check a URL and a key, and keep them for the other commands.

    Asks for what is not given. The file can be read by you alone.
    """
    with reported():
        profiles = load_profiles()
        known = profiles.get(profile)
        wanted_url = (url or _ask_url(known)).strip().rstrip("/")
        wanted_key = _read_key(key)
        if operator:
            _check_operator(wanted_url, wanted_key)
            who, new = "the operator", Profile(url=wanted_url, operator_key=wanted_key)
        else:
            with Bulklane(key=wanted_key, url=wanted_url, retry=QUICK) as client:
                who = client.account().name
            new = Profile(url=wanted_url, key=wanted_key)
        if known and known.url == wanted_url:  # the other key of the same service stays
            new = replace(
                known, key=new.key or known.key, operator_key=new.operator_key or known.operator_key
            )
        save_profiles(profiles | {profile: new})
    tell(f"logged in to {wanted_url} as {who}: profile {profile} in {profiles_file()}")


def logout(*, profile: Name = DEFAULT) -> None:
    """Forget the URL and the keys of a profile. The keys stay valid."""
    with reported():
        profiles = load_profiles()
        if profiles.pop(profile, None) is None:
            raise fail(f"there is no profile {profile!r}: see `bulklane profiles`")
        save_profiles(profiles)
    tell(f"forgot the profile {profile}")


def show_profiles(*, as_json: AsJson = False) -> None:
    """List the profiles, without their keys."""
    with reported():
        documents = [
            {
                "name": name,
                "url": profile.url,
                "account": profile.key is not None,
                "operator": profile.operator_key is not None,
            }
            for name, profile in sorted(load_profiles().items())
        ]
        columns = {"name": "name", "url": "url", "account key": "account", "operator key": "operator"}
        show_list(documents, columns, as_json=as_json)


def _ask_url(known: Profile | None) -> str:
    running = running_service()
    proposed = known.url if known else running.url if running else None
    if not sys.stdin.isatty():
        raise fail("there is no terminal to ask at: give --url")
    answer: str = typer.prompt("URL of the service", default=proposed, err=True)
    return answer


def _read_key(key: str | None) -> str:
    if key not in {None, "-"}:
        assert key is not None
        return key.strip()
    if key is None and sys.stdin.isatty():
        answer: str = typer.prompt("Key", hide_input=True, err=True)
        return answer.strip()
    if not (line := sys.stdin.readline().strip()):
        raise fail("standard input has no key: write it there, or give --key")
    return line


def _check_operator(url: str, key: str) -> None:
    transport = Transport(read_settings(key, url, QUICK), None)
    try:
        transport.send(get("/operator/v1/queue"))
    finally:
        transport.close()
