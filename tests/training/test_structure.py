"""Trees by which LightGBM would lose its way are refused; whole ones are not."""

from __future__ import annotations

import re

import lightgbm
import numpy as np
import pytest

from features.errors import DamagedError
from tests.training import grown
from training.model.structure import refuse_broken_trees

TEXT = grown.model().booster.text


def replaced(name: str, at: int, value: str, *, tree: int = 0) -> str:
    """TEXT with the entry `at` of a line of a tree set to `value`, sizes made right again."""
    trees = list(re.finditer(r"Tree=\d+\n.*?\n\n\n", TEXT, re.DOTALL))
    old = trees[tree].group()
    line = next(line for line in old.split("\n") if line.startswith(f"{name}="))
    entries = line.removeprefix(f"{name}=").split(" ")
    entries[at] = value
    new = old.replace(line, f"{name}={' '.join(entries)}")
    sizes = [len(one.group()) for one in trees]
    told = " ".join(map(str, sizes))
    sizes[tree] += len(new) - len(old)
    assert f"tree_sizes={told}\n" in TEXT
    return TEXT.replace(told, " ".join(map(str, sizes))).replace(old, new)


def test_trees_as_they_are_grown_are_whole() -> None:
    refuse_broken_trees(TEXT)
    refuse_broken_trees(replaced("leaf_value", 0, "0.25"))


def test_known_may_be_parted_from_unknown() -> None:
    # LightGBM writes so where it only asks whether something is known.
    refuse_broken_trees(replaced("threshold", 0, "inf"))


def test_a_tree_of_one_leaf_is_a_tree() -> None:
    data = lightgbm.Dataset(np.zeros((100, 2)), label=np.arange(100) % 2)
    params = {"objective": "binary", "verbose": -1, "min_data_in_leaf": 90}
    refuse_broken_trees(lightgbm.train(params, data, 3).model_to_string())


@pytest.mark.parametrize(
    ("name", "at", "value", "said"),
    [
        ("left_child", 0, "0", "child 0 twice"),  # its own ancestor: followed for ever
        ("left_child", 0, "99", "child 99 twice, or it is no child"),
        ("right_child", 0, "-99", "child -99 twice, or it is no child"),
        ("left_child", 0, "1.5", "not whole numbers"),
        ("left_child", 0, "x", "not every one is a finite number"),
        ("split_feature", 0, "2", "an input that is not there"),
        ("split_feature", 1, "-1", "an input that is not there"),
        ("threshold", 0, "nan", "not every one is a finite number"),
        ("threshold", 0, "1e999", "not every one is a finite number"),
        ("leaf_value", 1, "inf", "not every one is a finite number"),
        ("decision_type", 0, "1", "decides in a way"),
        ("num_leaves", 0, "8", "7 numbers, not 8"),
        ("num_leaves", 0, "99999999", "'99999999' leaves"),
        ("num_cat", 0, "1", "categories"),
        ("leaf_count", 0, "1", "rows came to node"),
        ("shrinkage", 0, "", "shrinkage"),
    ],
)
def test_a_broken_tree_is_refused(name: str, at: int, value: str, said: str) -> None:
    with pytest.raises(DamagedError, match=said):
        refuse_broken_trees(replaced(name, at, value, tree=3))


def test_two_nodes_that_share_a_child_are_refused() -> None:
    tree = re.search(r"Tree=0\n.*?left_child=(\S+)", TEXT, re.DOTALL)
    assert tree is not None
    with pytest.raises(DamagedError, match="twice"):
        refuse_broken_trees(replaced("right_child", 0, tree.group(1)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "head of a model"),
        (TEXT.replace("num_class=1", "num_class=3", 1), "num_class"),
        (TEXT.replace("tree_sizes=8", "tree_sizes=9", 1), "tree 0"),
        (TEXT.replace("end of trees", "end of tree", 1), "do not end"),
        (TEXT.replace("feature_names=days", "feature_names=d ays", 1), "3 inputs"),
        (TEXT.replace("max_feature_idx=1", "max_feature_idx=7", 1), "the last is '7'"),
        (TEXT + "\0", "NUL"),
        (TEXT.replace("tree_sizes=", "tree_sizes=-", 1), "0 trees|speaks of"),
        (re.sub("tree_sizes=.*", "tree_sizes=", TEXT, count=1), "0 trees"),
    ],
)
def test_a_broken_head_is_refused(text: str, said: str) -> None:
    with pytest.raises(DamagedError, match=said):
        refuse_broken_trees(text)
