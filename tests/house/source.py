"""Read the source files as syntax trees, and the imports between them."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("api", "cli", "embedded", "schemas", "storage", "worker")
CLIENT = "client"  # a distribution of its own: its packages are in this folder
FOLDERS = (*PACKAGES, CLIENT, "bench", "docs", "tests")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A Python file. `name` is its dotted name; for an `__init__`, the name of the package."""

    path: Path
    name: str
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        """Whether the file is a package's `__init__`."""
        return self.path.name == "__init__.py"

    def at(self, node: ast.AST) -> str:
        """Return the position of a node, such as `api/app.py:12`."""
        return f"{self.path.relative_to(REPOSITORY)}:{getattr(node, 'lineno', 1)}"


@cache
def sources(folder: str) -> tuple[Source, ...]:
    """Return the files of a top folder, in a fixed order."""
    return tuple(_read(path) for path in sorted((REPOSITORY / folder).rglob("*.py")))


def all_sources(folders: Iterable[str] = PACKAGES) -> list[Source]:
    """Return the files of several top folders."""
    return [source for folder in folders for source in sources(folder)]


@cache
def imports(folder: str) -> dict[str, frozenset[str]]:
    """Map each module of a top folder to the modules of this repository that it imports.

    Imports in functions and under TYPE_CHECKING count. `from package import name` counts as the module
    `package.name` if it exists, otherwise as `package`.
    """
    known = {source.name for source in all_sources(FOLDERS)}
    return {
        source.name: frozenset(_known_imports(source, known)) - {source.name} for source in sources(folder)
    }


def imported_names(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Yield each import statement of a file with each dotted name that it imports."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                yield from ((node, alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), level=0, names=names):
                yield from ((node, f"{module}.{alias.name}") for alias in names)


def strings(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Yield the string literals of a file with their values, except docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(source.tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node, node.value


def _read(path: Path) -> Source:
    text = path.read_text()
    relative = path.relative_to(REPOSITORY)
    parts = relative.with_suffix("").parts[relative.parts[0] == CLIENT :]
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Source(path=path, name=name, text=text, tree=ast.parse(text))


def _known_imports(source: Source, known: set[str]) -> Iterator[str]:
    for _, imported in imported_names(source):
        name = imported
        while name and name not in known:
            name = name.rpartition(".")[0]
        if name:
            yield name
