"""The operations of this package by their names in `schemas.operations`."""

from importlib import import_module
from pkgutil import iter_modules

from schemas.operations import NewerJob, Operation
from worker import operations
from worker.operations.base import BaseOperation


def operation_of(operation: str) -> BaseOperation:
    """Return the object that does the work of an operation. Raises NewerJob if it is unknown."""
    try:
        return REGISTRY[Operation(operation)]
    except ValueError:
        message = f"this release does not know the operation {operation}: install the newer release"
        raise NewerJob(message) from None


def _collect() -> dict[Operation, BaseOperation]:
    """Return the `OPERATIONS` of all modules of the package, in one dict."""
    registry: dict[Operation, BaseOperation] = {}
    for module in iter_modules(operations.__path__):
        if module.name != "registry":
            registry |= getattr(import_module(f"{operations.__name__}.{module.name}"), "OPERATIONS", {})
    return registry


REGISTRY = _collect()
# Small jobs of these may be applied and ended in one transaction: they have no closing step.
TOGETHER_OPERATIONS = frozenset(
    name.value for name, operation in REGISTRY.items() if type(operation).close is BaseOperation.close
)
