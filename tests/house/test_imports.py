"""Imports point down and form no cycle. Imports in functions and for types also count."""

from collections import defaultdict

import pytest

from tests.house.graph import cycles
from tests.house.source import FOLDERS, PACKAGES, imports

# Top down. An entry may import from itself and from the rows below, not from other entries of its row.
LAYERS = (("cli",), ("api", "worker", "embedded"), ("storage",), ("schemas",))
INSIDE_SCHEMAS = (
    ("schemas.wire",),
    ("schemas.operations",),
    ("schemas.items",),
    ("schemas.formats",),
)
INSIDE_API = (
    ("api.app",),
    ("api.routes",),
    ("api.handlers", "api.middleware"),
    ("api.accept", "api.results"),
    ("api.endpoint",),
    ("api.openapi",),
    ("api.http",),
    ("api.route",),
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_modules_import_each_other(folder: str) -> None:
    found = cycles(imports(folder))
    assert not found, (
        f"modules import each other; move the code that both need into a module below them: {found}"
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_siblings_in_a_package_import_each_other(folder: str) -> None:
    children: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, targets in imports(folder).items():
        for target in targets:
            package, one, other = _siblings(name, target)
            if package and one and other and one != other:
                children[package][one].add(other)
    found = [f"{package}: {group}" for package, graph in children.items() for group in cycles(graph)]
    assert not found, (
        f"siblings import each other; move the code that both need below them, or merge them: {found}"
    )


def test_the_packages_import_downwards() -> None:
    upward = [line for folder in PACKAGES for line in _upward(folder, LAYERS)]
    assert not upward, f"a package imports a higher one; pass the value as an argument: {upward}"


def test_the_api_imports_downwards() -> None:
    upward = _upward("api", INSIDE_API)
    assert not upward, f"modules import higher ones; move the code down to the importer: {upward}"


def test_the_schemas_import_downwards() -> None:
    upward = _upward("schemas", INSIDE_SCHEMAS)
    assert not upward, f"modules import higher ones; move the code down to the importer: {upward}"


def test_a_cycle_of_any_length_is_found() -> None:
    graph = {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a", "e"], "e": []}
    assert cycles(graph) == [["a", "b", "c"]]


def _siblings(name: str, target: str) -> tuple[str, str, str]:
    """Return the innermost package that holds both modules, and the child of it that holds each."""
    names, targets = name.split("."), target.split(".")
    depth = 0
    while depth < min(len(names), len(targets)) and names[depth] == targets[depth]:
        depth += 1
    one, other = ("".join(parts[depth : depth + 1]) for parts in (names, targets))
    return ".".join(names[:depth]), one, other


def _upward(folder: str, layers: tuple[tuple[str, ...], ...]) -> list[str]:
    """Return the imports from a higher layer, or from another entry of the same layer."""
    return [
        f"{name} imports {target}"
        for name, targets in imports(folder).items()
        for target in sorted(targets)
        if not _is_allowed(_place(name, layers), _place(target, layers))
    ]


def _place(name: str, layers: tuple[tuple[str, ...], ...]) -> tuple[int, str] | None:
    for height, layer in enumerate(layers):
        for entry in layer:
            if name == entry or name.startswith(f"{entry}."):
                return height, entry
    return None


def _is_allowed(importer: tuple[int, str] | None, target: tuple[int, str] | None) -> bool:
    return importer is None or target is None or importer == target or importer[0] < target[0]
