"""The service and the key of a command: from its options, the environment, a profile, or this folder."""

import inspect
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from bulklane._sync.client import Bulklane
from bulklane.command.profiles import DEFAULT, Profile, load_profiles
from bulklane.command.reporting import reported, told_of_retries
from bulklane.errors import ConfigurationError
from bulklane.retries import RetryPolicy
from bulklane.settings import KEY_VARIABLE, URL_VARIABLE

P = ParamSpec("P")
PROFILE_VARIABLE = "BULKLANE_PROFILE"
OPERATOR_KEY_VARIABLE = "OPERATOR_KEY"
HOME_VARIABLE = "BULKLANE_HOME"
DEFAULT_HOME = ".bulklane"
QUICK = RetryPolicy(retries=2)  # a person waits for the answer
PATIENT = RetryPolicy(retries=30, longest=5.0)  # over two minutes without the service, once it was there
PANEL = "Service and key"

Url = Annotated[
    str | None,
    typer.Option(help="Where the service is.", rich_help_panel=PANEL, show_default=False),
]
Key = Annotated[
    str | None,
    typer.Option(
        help="The key. Other users of this machine can see it: prefer `bulklane login`.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="A profile of `bulklane login`.",
        envvar=PROFILE_VARIABLE,
        rich_help_panel=PANEL,
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A place that may know where the service is, with which key, or both.

    The URL of one that is `closed` is used with its own key alone.
    """

    place: str
    url: str | None
    key: str | None = field(repr=False)
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A service and the key for it; `place` is where the URL comes from."""

    url: str
    key: str = field(repr=False)
    place: str


def connected(
    policy: RetryPolicy = QUICK,
) -> Callable[[Callable[Concatenate[Bulklane, P], None]], Callable[..., None]]:
    """Return a decorator: the command gets a client, and the options `--url`, `--key` and `--profile`.

    Its errors become one line. With another policy than QUICK, the service must respond quickly once.
    """

    def decorated(command: Callable[Concatenate[Bulklane, P], None]) -> Callable[..., None]:
        def run(*, url: str | None, key: str | None, profile: str | None, **values: Any) -> None:
            with reported(), told_of_retries():
                access = choose(account_offers(url, key, profile))
                if policy is not QUICK:
                    with Bulklane(key=access.key, url=access.url, retry=QUICK) as client:
                        client.account()
                with Bulklane(key=access.key, url=access.url, retry=policy) as client:
                    command(client, **values)  # type: ignore[call-arg]  # typer passes the rest by name

        return with_options(run, command)

    return decorated


def with_options(run: Callable[..., None], command: Callable[..., None]) -> Callable[..., None]:
    """Give `run` the parameters of a command, without the first one, and the options of the connection."""
    signature = inspect.signature(command, eval_str=True)
    own = list(signature.parameters.values())[1:]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in (("url", Url), ("key", Key), ("profile", ProfileName))
    ]
    parameters = [*own, *options]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def account_offers(url: str | None, key: str | None, profile: str | None) -> list[Offer]:
    """Return the places that may know the key of an account, the first one that counts first."""
    return _offers(url, key, profile, KEY_VARIABLE, lambda found: found.key)


def operator_offers(url: str | None, key: str | None, profile: str | None) -> list[Offer]:
    """Return the places that may know the key of the operator."""
    return _offers(url, key, profile, OPERATOR_KEY_VARIABLE, lambda found: found.operator_key)


def choose(offers: Sequence[Offer], login: str = "bulklane login") -> Access:
    """Return the first URL, and the first key that belongs to it. Raises ConfigurationError.

    A key goes to the URL that stands beside it and to no other one: a key of production must not reach
    another server because a variable names that. A key without a URL goes to any that is not closed.
    """
    first = next((offer for offer in offers if offer.url), None)
    if first is None or first.url is None:
        raise ConfigurationError(f"where is the service? Run `{login}`, or give --url")
    allowed = {first.url} if first.closed else {None, first.url}
    key = next((offer.key for offer in offers if offer.key and offer.url in allowed), None)
    if key is None:
        raise ConfigurationError(f"there is no key for {first.url}: run `{login} --url {first.url}`")
    return Access(url=first.url, key=key, place=first.place)


def _offers(
    url: str | None,
    key: str | None,
    profile: str | None,
    variable: str,
    key_of: Callable[[Profile], str | None],
) -> list[Offer]:
    profiles = load_profiles()
    name = profile or DEFAULT
    if profile and profile not in profiles:
        raise ConfigurationError(f"there is no profile {profile!r}: run `bulklane login --profile {profile}`")
    options = _offer("options", url, key)
    environment = _offer("environment", os.environ.get(URL_VARIABLE), os.environ.get(variable))
    stored = profiles.get(name)
    kept = [_offer(f"profile {name}", stored.url, key_of(stored))] if stored else []
    running = running_service()
    # another user may own the folder: no key from elsewhere may go to the URL in its file
    here = [_offer("this folder", running.url, key_of(running), closed=True)] if running else []
    return [options, *kept, environment, *here] if profile else [options, environment, *kept, *here]


def running_service() -> Profile | None:
    """Return the service that `./run` has started in this folder (BULKLANE_HOME), as a profile."""
    path = Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME) / "dev.json"
    try:
        dev = json.loads(path.read_text(encoding="utf-8"))
        return Profile(url=dev["url"], key=dev["api_key"], operator_key=dev["operator_key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _offer(place: str, url: str | None, key: str | None, *, closed: bool = False) -> Offer:
    url, key = (url or "").strip().rstrip("/"), (key or "").strip()
    return Offer(place=place, url=url or None, key=key or None, closed=closed)
