"""The operations of this package, by what `schemas.operations` calls them."""

from importlib import import_module
from pkgutil import iter_modules

from schemas.operations import Operation
from worker import operations
from worker.operations.base import BaseOperation


def operation_of(operation: str) -> BaseOperation:
    """Return the object that does the work of an operation; raises ValueError for an unknown one."""
    return REGISTRY[Operation(operation)]


def _collect() -> dict[Operation, BaseOperation]:
    """Collect the `OPERATIONS` of every module of the package."""
    found: dict[Operation, BaseOperation] = {}
    for module in iter_modules(operations.__path__):
        if module.name != "registry":
            found |= getattr(import_module(f"{operations.__name__}.{module.name}"), "OPERATIONS", {})
    return found


REGISTRY = _collect()
