"""Files and folders have a size that a reader can take in, and every folder says what it is for."""

import ast
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.house.source import FOLDERS, PACKAGES, Source, sources

MOST_MODULES = 15
MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 40

LONG_FILES: dict[str, str] = {}  # dotted name -> the reason why it is one file
LONG_FUNCTIONS: dict[str, str] = {}  # dotted name -> the reason why it is one function


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_holds_at_most_fifteen_modules(folder: str) -> None:
    modules = Counter(source.path.parent for source in sources(folder) if not source.is_package)
    crowded = {str(path): count for path, count in modules.items() if count > MOST_MODULES}
    assert not crowded, f"more than {MOST_MODULES} modules; group them by task into folders: {crowded}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_package_says_its_job_in_a_sentence(folder: str) -> None:
    silent = [source.name for source in sources(folder) if source.is_package and not _is_sentence(source)]
    assert not silent, f"begin the docstring of each `__init__` with one sentence on one line: {silent}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_with_modules_is_a_package(folder: str) -> None:
    packages = {source.path.parent for source in sources(folder) if source.is_package}
    loose = {str(source.path.parent) for source in sources(folder)} - {str(path) for path in packages}
    assert not loose, f"add an `__init__.py` with a docstring of one sentence: {sorted(loose)}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_file_has_at_most_three_hundred_lines(folder: str) -> None:
    lines = {source.name: len(source.text.splitlines()) for source in sources(folder)}
    long = {name: count for name, count in lines.items() if count > MOST_LINES and name not in LONG_FILES}
    assert not long, f"split each at a noun, or give the reason in LONG_FILES: {long}"


@pytest.mark.parametrize("folder", [*PACKAGES, "bench"])
def test_a_function_has_at_most_forty_lines(folder: str) -> None:
    long = [
        f"{source.at(node)} {node.name} ({length} lines)"
        for source in sources(folder)
        for node, length in _functions(source)
        if length > MOST_LINES_OF_A_FUNCTION and f"{source.name}.{node.name}" not in LONG_FUNCTIONS
    ]
    assert not long, f"give the steps names of their own, or the reason in LONG_FUNCTIONS: {long}"


def _is_sentence(source: Source) -> bool:
    first = (ast.get_docstring(source.tree) or "").split("\n\n")[0]
    return first.endswith((".", ":")) and "\n" not in first


def _functions(source: Source) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    """Yield each function with its length, from `def` to its last line, its docstring left out."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            docstring = node.body[0] if ast.get_docstring(node) else None
            text = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
            yield node, node.end_lineno - node.lineno + 1 - text
