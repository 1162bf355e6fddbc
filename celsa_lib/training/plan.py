"""Several lists of stages as one tree: what they have in common is trained once.

Exponential schedules with the same width and epochs differ only after the larger target is
reached, so one path passes through all budgets and each leaves it for its own last epochs.
"""

from dataclasses import dataclass

from celsa_lib.training.options import Stage


@dataclass(frozen=True)
class Node:
    """A stage that follows node `parent` (−1: the start); `epoch`: how many came before it."""

    stage: Stage
    parent: int
    epoch: int


@dataclass(frozen=True)
class Plan:
    """Nodes in the order they are trained; `ends[p]` is the last node of path p."""

    nodes: list[Node]
    ends: list[int]

    def path(self, end: int) -> list[int]:
        """Nodes from the start to `end`."""
        path = []
        while end >= 0:
            path.append(end)
            end = self.nodes[end].parent
        return path[::-1]

    def needed_after(self, node: int) -> set[int]:
        """Trained nodes (up to `node`) whose rows a later node starts from."""
        return {later.parent for later in self.nodes[node + 1 :]} & set(range(node + 1))


def make_plan(paths: list[list[Stage]]) -> Plan:
    """The tree of `paths`, short branches first, so that few unfinished rows are kept."""
    nodes: list[Node] = []
    ends = [-1] * len(paths)

    def grow(parent: int, depth: int, epoch: int, members: list[int]) -> None:
        branches: dict[Stage, list[int]] = {}
        for p in members:
            if depth < len(paths[p]):
                branches.setdefault(paths[p][depth], []).append(p)
            else:
                ends[p] = parent
        length = lambda stage: max(len(paths[p]) for p in branches[stage])  # noqa: E731
        for stage in sorted(branches, key=length):
            nodes.append(Node(stage, parent, epoch))
            grow(len(nodes) - 1, depth + 1, epoch + stage.epochs, branches[stage])

    grow(-1, 0, 0, list(range(len(paths))))
    return Plan(nodes, ends)
