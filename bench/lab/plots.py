"""Horizontal bars as SVG."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.lab.results import number

WIDTH, LABEL_WIDTH, VALUE_WIDTH = 800, 320, 60
BAR, GAP, HEAD = 16, 12, 54
COLOURS = ("#2563eb", "#9ca3af", "#d97706")
TEXT = "#6b7280"  # readable on white and on black
FONT = "font-family='sans-serif' font-size='12'"


@dataclass(frozen=True)
class Group:
    """Bars with one label: values by the names of the series."""

    label: str
    values: Mapping[str, float]


def bars(title: str, groups: list[Group]) -> str:
    """Return a plot of groups of bars with their values, all at one scale."""
    groups = [group for group in groups if group.values]
    series = list(dict.fromkeys(name for group in groups for name in group.values))
    height = HEAD + sum(len(group.values) * BAR + GAP for group in groups)
    largest = max(value for group in groups for value in group.values.values()) or 1
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' role='img'>",
        f"<title>{escape(title)}</title>",
        _text(0, 16, title, "font-weight='bold'"),
        *_legend(series),
        *_bars(groups, series, (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / largest),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _legend(series: list[str]) -> Iterator[str]:
    for position, name in enumerate(series):
        x = LABEL_WIDTH + position * 150
        yield f"<rect x='{x}' y='26' width='12' height='12' fill='{COLOURS[position]}'/>"
        yield _text(x + 18, 36, name)


def _bars(groups: list[Group], series: list[str], scale: float) -> Iterator[str]:
    y = HEAD
    for group in groups:
        yield _text(0, y + len(group.values) * BAR // 2 + 4, group.label)
        for name, value in group.values.items():
            width = max(1.0, value * scale)
            colour = COLOURS[series.index(name)]
            yield f"<rect x='{LABEL_WIDTH}' y='{y}' width='{width:.1f}' height='{BAR - 2}' fill='{colour}'/>"
            yield _text(LABEL_WIDTH + width + 6, y + 12, number(value))
            y += BAR
        y += GAP


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y}' {FONT} fill='{TEXT}' {more}>{escape(text)}</text>"
