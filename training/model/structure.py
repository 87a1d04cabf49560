"""Whether a LightGBM text model is whole, found out before LightGBM sees it.

LightGBM believes what it reads: a child beyond the last node is read from foreign memory, a child
that is its own ancestor is followed for ever. So every number by which it finds its way is looked
at first; with the standard library alone, since a suspicious model is tried in a bare process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from features.errors import DamagedError

_INTEGER = re.compile(r"-?\d{1,18}")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)
MOST_TREES, MOST_LEAVES = 10_000, 10_000

_HEADER = {
    "version": "v4",
    "num_class": "1",
    "num_tree_per_iteration": "1",
    "label_index": "0",
    "objective": "binary sigmoid:1",
}
# Of each tree: what stands once, per leaf, and per node between them.
_ONCE = ("num_leaves", "num_cat", "is_linear", "shrinkage")
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_OF_NODES = (
    "split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child",
    "internal_value", "internal_weight", "internal_count",
)  # fmt: skip
# An even number is a comparison with a threshold (an odd one a category), +2 sends what is not
# known to the left, +4 and +8 say what counts as not known.
_DECISIONS = frozenset((0, 2, 4, 6, 8, 10))
_END = "end of trees"


def refuse_broken_trees(text: str) -> None:
    """DamagedError if `text` is no model of one binary output, or if any of its trees is not one.

    Every child is a node or a leaf of its own tree and is reached exactly once, so that each row
    ends in a leaf; features exist, numbers are finite, counts agree, sizes are those of the text.
    """
    if "\0" in text:
        raise _damaged("the text holds a NUL")
    head, separator, rest = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines[0] != "tree":
        raise _damaged("it does not begin with the head of a model")
    said = _said(lines[1:], "the head")
    for name, value in _HEADER.items():
        if said.get(name) != value:
            raise _damaged(f"{name} is {said.get(name)!r} and not {value}")
    inputs = len(said.get("feature_names", "").split())
    if inputs == 0 or said.get("max_feature_idx") != str(inputs - 1):
        raise _damaged(f"{inputs} inputs are named, the last is {said.get('max_feature_idx')!r}")
    for name in ("feature_infos", "monotone_constraints"):
        if name in said and len(said[name].split()) != inputs:
            raise _damaged(f"{name} does not say one thing of each of {inputs} inputs")
    sizes = _integers(said.get("tree_sizes", ""), "tree_sizes")
    if not 0 < len(sizes) <= MOST_TREES or min(sizes) <= 0:
        raise _damaged(f"it speaks of {len(sizes)} trees")
    # Sizes are bytes; whatever is not ASCII would shift them, so it is refused with the sizes.
    body, start = rest.lstrip("\n").encode(), 0
    for number, size in enumerate(sizes):
        _refuse_broken_tree(body[start : start + size].decode(errors="replace"), number, inputs)
        start += size
    if not body[start:].startswith(_END.encode()):
        raise _damaged("the trees do not end where their sizes say")


def _refuse_broken_tree(text: str, number: int, inputs: int) -> None:
    where = f"tree {number}"
    lines = text.rstrip("\n").split("\n")
    if lines[0] != f"Tree={number}" or not text.endswith("\n"):
        raise _damaged(f"{where} is not where the sizes say")
    said = _said(lines[1:], where)
    if said.keys() != {*_ONCE, *_OF_LEAVES, *_OF_NODES} and said.get("num_leaves") != "1":
        raise _damaged(f"{where} says {', '.join(sorted(said))}")
    if said.get("num_cat") != "0" or said.get("is_linear") != "0":
        raise _damaged(f"{where} has categories or linear leaves, which are not in use")
    _numbers(said.get("shrinkage", ""), 1, f"{where}: shrinkage")
    leaves = _integers(said.get("num_leaves", ""), f"{where}: num_leaves")
    if len(leaves) != 1 or not 1 <= leaves[0] <= MOST_LEAVES:
        raise _damaged(f"{where} has {said.get('num_leaves')!r} leaves")
    if leaves[0] == 1:
        _numbers(said.get("leaf_value", ""), 1, f"{where}: leaf_value")
        return
    for names, count in ((_OF_LEAVES, leaves[0]), (_OF_NODES, leaves[0] - 1)):
        for name in names:
            text = said[name]
            if name == "threshold":
                # Where known is parted from unknown, LightGBM writes that all numbers lie below.
                text = re.sub(r"(?<![^ ])inf(?![^ ])", "0", text)
            _numbers(text, count, f"{where}: {name}")
    _refuse_wrong_turns(said, leaves[0], where, inputs)


def _refuse_wrong_turns(said: Mapping[str, str], leaves: int, where: str, inputs: int) -> None:
    """What LightGBM finds its way by: features, decisions, children and how many rows took them."""
    feature, decision, left, right, inner, outer = (
        _integers(said[name], f"{where}: {name}")
        for name in (
            "split_feature", "decision_type", "left_child", "right_child", "internal_count",
            "leaf_count",
        )
    )  # fmt: skip
    if not all(0 <= one < inputs for one in feature):
        raise _damaged(f"{where} asks for an input that is not there")
    if not _DECISIONS.issuperset(decision):
        raise _damaged(f"{where} decides in a way that is not in use")
    nodes, reached, waiting = leaves - 1, set[int](), [0]
    while waiting:
        node = waiting.pop()
        rows = 0
        for child in (left[node], right[node]):
            # The leaf n is written as the child -n - 1; nothing leads back to the root.
            if child in reached or not -leaves <= child < nodes or child == 0:
                raise _damaged(f"{where} has the child {child} twice, or it is no child")
            reached.add(child)
            rows += inner[child] if child > 0 else outer[-child - 1]
            if child > 0:
                waiting.append(child)
        if rows != inner[node]:
            raise _damaged(f"{where}: {inner[node]} rows came to node {node}, {rows} went on")
    if len(reached) != leaves + nodes - 1:
        raise _damaged(f"{where} has nodes to which no row comes")


def _said(lines: list[str], where: str) -> dict[str, str]:
    said: dict[str, str] = {}
    for line in lines:
        name, separator, value = line.partition("=")
        if name in said or (separator == "" and name not in ("", "average_output")):
            raise _damaged(f"{where} says {name[:40]!r}")
        if separator:
            said[name] = value
    return said


def _integers(text: str, what: str) -> list[int]:
    found = text.split(" ") if text else []
    if not all(_INTEGER.fullmatch(one) for one in found):
        raise _damaged(f"{what} are not whole numbers")
    return [int(one) for one in found]


def _numbers(text: str, count: int, what: str) -> None:
    """Refuse anything but `count` finite numbers."""
    found = text.split(" ") if text else []
    if len(found) != count:
        raise _damaged(f"{what}: {len(found)} numbers, not {count}")
    if not all(_NUMBER.fullmatch(one) and abs(float(one)) < float("inf") for one in found):
        raise _damaged(f"{what}: not every one is a finite number")


def _damaged(found: str) -> DamagedError:
    return DamagedError(f"the trees are damaged ({found}); pull the model again or train it again")
