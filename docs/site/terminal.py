"""Draw what a terminal shows after a command, as an SVG for light and one for dark."""

import io
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.waiting import wait_for

COLUMNS, LINES = 120, 24
SECONDS = 60
ENDED = "ended with"  # the pane shows it, and the exit status, after the command
SOCKET = "bulklane-pictures"  # a tmux of its own
FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # fonts of another host

Colour = tuple[int, int, int]
DIM: list[Colour] = [
    (46, 52, 64), (179, 38, 30), (15, 122, 61), (143, 84, 0),
    (31, 79, 216), (120, 60, 160), (15, 120, 130), (86, 91, 102),
]  # fmt: skip
BRIGHT: list[Colour] = [
    (110, 118, 130), (255, 143, 134), (102, 211, 145), (242, 183, 92),
    (143, 179, 255), (200, 160, 240), (90, 200, 210), (166, 173, 186),
]  # fmt: skip
THEMES = {
    "light": TerminalTheme((255, 255, 255), (27, 29, 33), DIM, DIM),
    "dark": TerminalTheme((26, 29, 36), (232, 234, 240), BRIGHT, BRIGHT),
}


def picture(command: list[str], environment: Mapping[str, str], folder: Path, place: Path) -> None:
    """Run a command in a terminal in a folder; write its last screen as `place-light.svg` and `-dark.svg`."""
    lines = _screen(command, environment, folder)
    shown = Text.from_ansi("\n".join([f"\x1b[1m$ {shlex.join(command)}\x1b[0m", *lines]))
    for scheme, theme in THEMES.items():
        console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
        console.print(shown)
        svg = console.export_svg(title="bulklane", theme=theme, unique_id="terminal")
        place.with_name(f"{place.name}-{scheme}.svg").write_text(FONT_FACES.sub("", svg))


def _screen(command: list[str], environment: Mapping[str, str], folder: Path) -> list[str]:
    """Return the lines that a terminal shows after the command, with their colours."""

    def tmux(*words: str) -> str:
        call = ["tmux", "-L", SOCKET, *words]
        own = {**environment, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        return subprocess.run(call, env=own, cwd=folder, capture_output=True, text=True, check=True).stdout

    def ended() -> str | None:
        screen = tmux("capture-pane", "-e", "-p")
        return screen if ENDED in screen else None

    size = ["-x", str(COLUMNS), "-y", str(LINES)]
    tmux("new-session", "-d", *size, f"{shlex.join(command)}; echo {ENDED} $?; sleep {SECONDS}")
    try:
        return wait_for(ended, seconds=SECONDS).partition(ENDED)[0].rstrip().splitlines()
    finally:
        tmux("kill-server")
