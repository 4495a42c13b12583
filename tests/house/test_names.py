"""A name of a class or module has one meaning."""

import ast
from collections import defaultdict

from tests.house.source import PACKAGES, Source, all_sources

# Other module names that may repeat, because they name one idea: the name and the idea.
ONE_IDEA = {
    "accept": "the step from a request to an accepted job: the folder and its main path",
    "context": "what a process holds: the storage's, and what the worker and a request add to it",
    "deletion": "what is deleted for good: in storage, and the work of workers for it",
    "errors": "the errors that a client can see, and the middleware that makes responses of them",
    "finish": "the worker's last step of a job, and its queries",
    "metrics": "what a process shows to Prometheus: the definitions, and the handler",
    "operator": "what the person who runs the service sees and changes: handlers, storage, wire models",
    "operations": "the table of operations, and the worker's part of each",
    "partners": "the four partners: their handlers, and their wire models",
    "postgres": "PostgreSQL: the embedded server, and how storage reaches any server",
    "resumable": "the uploads in several requests: over HTTP, and what is stored of them",
    "results": "the results of the items: in storage, and as files",
    "split": "the step from parts to chunks, and its queries",
    "supervisor": "the folder and its main class",
    "undo": "the undo of a job: its queries, and what the worker decides",
    "webhooks": "what is sent to endpoints of clients: handlers, wire models, rules, storage, worker",
}

# A noun may have a module in each of these folders: its handlers, its storage, its wire models and so on.
FOLDERS_OF_NOUNS = {
    "api.handlers",
    "api.handlers.account",
    "api.handlers.operator",
    "api.handlers.partners",
    "api.handlers.webhooks",
    "api.pages",
    "api.pages.operator",
    "cli",
    "schemas.items",
    "schemas.wire",
    "schemas.wire.webhooks",
    "storage.entities",
    "storage.operator",
    "storage.pipeline",
    "storage.webhooks",
    "worker.operations",
    "worker.webhooks",
}


def test_a_class_name_is_used_once() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for source in all_sources(PACKAGES):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(source.at(node))
    found = {name: where for name, where in places.items() if len(where) > 1}
    assert not found, f"classes share a name; name each after what distinguishes it: {found}"


def test_a_module_name_is_used_once() -> None:
    places: dict[str, list[Source]] = defaultdict(list)
    for source in all_sources(PACKAGES):
        if not source.name.endswith("__main__") and "." in source.name:
            places[source.name.rpartition(".")[2]].append(source)
    repeated = {
        name: [source.name for source in where]
        for name, where in sorted(places.items())
        if len(where) > 1 and not all(map(_is_noun, where))
    }
    found = {name: where for name, where in repeated.items() if name not in ONE_IDEA}
    assert not found, f"modules share a name; rename them, or add the one idea to ONE_IDEA: {found}"
    assert not ONE_IDEA.keys() - repeated.keys(), "ONE_IDEA has names that are used once; remove them"


def _is_noun(source: Source) -> bool:
    return not source.is_package and source.name.rpartition(".")[0] in FOLDERS_OF_NOUNS
