"""A page that is made from the command `bulklane`: every command with its arguments and options."""

import re
from collections.abc import Iterator
from typing import Any

import typer

from bulklane.command.app import app
from docs.site.api_reference import cell, table

COMMANDS = "reference/commands.md"
ABOUT = """# All commands

Every command with its arguments and options, as `--help` prints them. [Command line](command-line.md)
explains what they have in common.
"""
MARKUP = re.compile(r"\[/?[a-z ]*\]")  # of rich
HELP = "--help"


def commands() -> str:
    """Return the page of all commands, in the order of the help."""
    return "\n".join([ABOUT, *_commands("bulklane", typer.main.get_command(app))])


def _commands(path: str, command: Any) -> Iterator[str]:
    below = getattr(command, "commands", {})
    if not below:
        yield _command(path, command)
    for name, inner in below.items():
        if not inner.hidden:
            yield from _commands(f"{path} {name}", inner)


def _command(path: str, command: Any) -> str:
    parts = [f"## {path}\n", f"{_text(command.help or '')}\n"]
    rows = [_row(parameter) for parameter in command.params if HELP not in parameter.opts]
    if rows:
        parts.append(table(("argument or option", "default", "meaning"), iter(rows)))
    if command.epilog:
        lines = (line.strip() for line in MARKUP.sub("", command.epilog).splitlines())
        parts.append("```text\n" + "\n".join(line for line in lines if line) + "\n```\n")
    return "\n".join(parts)


def _row(parameter: Any) -> tuple[str, ...]:
    is_argument = parameter.param_type_name == "argument"
    names = (
        [parameter.metavar or parameter.name.upper()]
        if is_argument
        else [*parameter.opts, *parameter.secondary_opts]
    )
    shown = ", ".join(f"`{name}`" for name in names)
    default = parameter.default
    known = f"`{default}`" if isinstance(default, str | int | float) and default != "" else ""
    if isinstance(default, bool):
        known = "on" if default else "off"
    required = "Required. " if parameter.required else ""
    return shown, known, required + _text(parameter.help or "")


def _text(text: str) -> str:
    return cell(MARKUP.sub("", text))
