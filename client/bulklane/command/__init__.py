"""The command `bulklane`: one module for each command or group of commands."""

import sys


def main() -> None:
    """Run the command; the entry point of the console script."""
    try:
        from bulklane.command.app import run
    except KeyboardInterrupt:
        sys.exit(130)
    except ModuleNotFoundError as error:
        if error.name not in {"rich", "typer"}:
            raise
        sys.exit(_without_packages(error.name))
    sys.exit(run())


def _without_packages(name: str) -> int:
    """Say that the packages of the command are not installed; return the exit status."""
    print(
        f"bulklane: the command needs the package {name}: run pip install 'bulklane-client[cli]'",
        file=sys.stderr,
    )
    return 2
