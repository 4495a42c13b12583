"""Files, functions and folders have a limited size, and every package has a docstring."""

import ast
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.house.source import CLIENT, FOLDERS, PACKAGES, Source, sources

MOST_MODULES = 15
MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 40

LONG_FILES: dict[str, str] = {}  # dotted name -> why it may be long
LONG_FUNCTIONS: dict[str, str] = {}  # dotted name -> why it may be long


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_holds_at_most_fifteen_modules(folder: str) -> None:
    modules = Counter(source.path.parent for source in sources(folder) if not source.is_package)
    crowded = {str(path): count for path, count in modules.items() if count > MOST_MODULES}
    assert not crowded, (
        f"folders have more than {MOST_MODULES} modules; group them by task into folders: {crowded}"
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_package_states_its_purpose_in_a_sentence(folder: str) -> None:
    undocumented = [
        source.name for source in sources(folder) if source.is_package and not _is_sentence(source)
    ]
    assert not undocumented, (
        f"packages lack a docstring; begin each `__init__` with one sentence on one line: {undocumented}"
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_with_modules_is_a_package(folder: str) -> None:
    packages = {source.path.parent for source in sources(folder) if source.is_package}
    loose = {str(source.path.parent) for source in sources(folder)} - {str(path) for path in packages}
    assert not loose, (
        f"folders are no packages; add an `__init__.py` with a docstring of one sentence: {sorted(loose)}"
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_file_has_at_most_three_hundred_lines(folder: str) -> None:
    lines = {source.name: len(source.text.splitlines()) for source in sources(folder)}
    long = {name: count for name, count in lines.items() if count > MOST_LINES and name not in LONG_FILES}
    assert not long, f"files are too long; split each by noun, or add a reason to LONG_FILES: {long}"


@pytest.mark.parametrize("folder", [*PACKAGES, CLIENT, "bench", "docs"])
def test_a_function_has_at_most_forty_lines(folder: str) -> None:
    long = [
        f"{source.at(node)} {node.name} ({length} lines)"
        for source in sources(folder)
        for node, length in _functions(source)
        if length > MOST_LINES_OF_A_FUNCTION and f"{source.name}.{node.name}" not in LONG_FUNCTIONS
    ]
    assert not long, f"functions are too long; extract functions, or add a reason to LONG_FUNCTIONS: {long}"


def _is_sentence(source: Source) -> bool:
    first = (ast.get_docstring(source.tree) or "").split("\n\n")[0]
    return first.endswith((".", ":")) and "\n" not in first


def _functions(source: Source) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    """Yield each function with its length in lines, from `def` to its end, without its docstring."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            docstring = node.body[0] if ast.get_docstring(node) else None
            text = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
            yield node, node.end_lineno - node.lineno + 1 - text
