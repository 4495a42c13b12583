"""Cycles in a directed graph."""

from collections.abc import Iterable, Mapping


def cycles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other (Tarjan's strongly connected components)."""
    walk = _Walk({node: sorted(targets) for node, targets in graph.items()})
    for node in sorted(graph):
        if node not in walk.index:
            walk.visit(node)
    return [sorted(group) for group in walk.groups if len(group) > 1]


class _Walk:
    """One depth-first walk; `lowest` is the earliest node that a node reaches."""

    def __init__(self, graph: Mapping[str, list[str]]) -> None:
        self._graph = graph
        self._stack: list[str] = []
        self.index: dict[str, int] = {}
        self._lowest: dict[str, int] = {}
        self.groups: list[list[str]] = []

    def visit(self, node: str) -> None:
        self.index[node] = self._lowest[node] = len(self.index)
        self._stack.append(node)
        for target in self._graph.get(node, []):
            if target not in self.index:
                self.visit(target)
                self._lowest[node] = min(self._lowest[node], self._lowest[target])
            elif target in self._stack:
                self._lowest[node] = min(self._lowest[node], self.index[target])
        if self._lowest[node] == self.index[node]:
            at = self._stack.index(node)
            self.groups.append(self._stack[at:])
            del self._stack[at:]
