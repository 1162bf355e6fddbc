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


Branch = tuple[Node, list[int], int]  # its first node, its paths, their stages up to that node


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
    waiting = _branches(paths, list(range(len(paths))), -1, 0, 0)
    while waiting:  # a stack: a path may have more stages than Python's recursion has levels
        node, members, depth = waiting.pop()
        nodes.append(node)
        for p in members:
            if len(paths[p]) == depth:
                ends[p] = len(nodes) - 1
        epoch = node.epoch + node.stage.epochs
        waiting += _branches(paths, members, len(nodes) - 1, epoch, depth)
    return Plan(nodes, ends)


def _branches(
    paths: list[list[Stage]], members: list[int], parent: int, epoch: int, depth: int
) -> list[Branch]:
    """How the paths `members` go on after `depth` stages in common, the shortest branch last."""
    branches: dict[Stage, list[int]] = {}
    for p in members:
        if depth < len(paths[p]):
            branches.setdefault(paths[p][depth], []).append(p)
    length = lambda stage: max(len(paths[p]) for p in branches[stage])  # noqa: E731
    in_order = sorted(branches, key=length)
    return [(Node(s, parent, epoch), branches[s], depth + 1) for s in reversed(in_order)]
