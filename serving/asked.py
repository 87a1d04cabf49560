"""Conditions that a merchant writes as SQL: `spend_365d > 1000 AND segment IN ('new', 'loyal')`.

A condition reads one customer and nothing else: no sums over customers, no tables, no clock, so
that the answer of one does not depend on who else is asked. What cannot be decided does not hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import polars as pl

from features.catalog import CATALOG, TEXTS
from features.nearest import nearest
from features.segments import SEGMENTS, STAGES
from serving.countries import COUNTRIES
from serving.shelf_facts import SHELF_FACTS

# What is known of every customer, and may be asked for.
COLUMNS: Mapping[str, pl.DataType] = {
    **{f.name: pl.String() if f.name in TEXTS else pl.Float64() for f in CATALOG},
    **dict.fromkeys(("segment", "stage", "timezone", "country", "region"), pl.String()),
    **dict.fromkeys(("email_consent", "preferred_tone"), pl.String()),
    **dict.fromkeys(("churn", "email_dormancy", "dormant_within_30d"), pl.Float64()),
    **SHELF_FACTS,
}
# Those that can be nothing else: whatever else is compared with them never holds.
CLOSED: Mapping[str, tuple[str, ...]] = {
    "segment": tuple(one.name for one in SEGMENTS),
    "stage": tuple(one.name for one in STAGES),
    "email_consent": ("granted", "denied", "unknown"),
    "cart_stage": ("none", "cart", "checkout"),
    "country": tuple(sorted(COUNTRIES)),
}
OWN = "is_"  # and the name of a segment of the merchant's own: whether they are of it

# The parts of which Polars may make a condition; each reads one row. Anything else is refused.
_PARTS = {"Column", "Literal", "BinaryExpr", "Function", "Ternary", "Cast"}
_FUNCTIONS = {"Sql", "Boolean", "StringExpr", "Abs", "Coalesce", "FillNull", "Negate", "Round",
              "Floor", "Ceil", "Pow", "MinHorizontal", "MaxHorizontal", "NullIf"}  # fmt: skip
_OF_MANY_ROWS = {
    "Any", "All", "IsFirstDistinct", "IsLastDistinct", "IsUnique", "IsDuplicated", "HasNulls",
    "ConcatVertical", "Agg", "Over", "Window", "Rank",
}  # fmt: skip
_CLOCK = re.compile(
    r"\b(current_?(date|time|timestamp)|localtime(stamp)?|now|today)\b", re.IGNORECASE
)
_LONGEST = 2_000


def condition(text: str, columns: Iterable[str]) -> pl.Expr:
    """Whether the condition holds for a row; false where it cannot be decided.

    `columns` are those that the rows have; of them those of COLUMNS and of own segments may be
    asked for. Raises ValueError in words a merchant understands.
    """
    return decided(text, columns).fill_null(False)


def decided(text: str, columns: Iterable[str]) -> pl.Expr:
    """The same, null where it cannot be decided: so that neither it nor its opposite holds."""
    return _compiled(text, tuple(name for name in columns if name in COLUMNS or _is_own(name)))


def _is_own(name: str) -> bool:
    return name.startswith(OWN)


@lru_cache(maxsize=256)
def _compiled(text: str, columns: tuple[str, ...]) -> pl.Expr:
    if len(text) > _LONGEST:
        raise ValueError(f"a condition has {_LONGEST:,} letters at most; this has {len(text):,}")
    if found := _CLOCK.search(_without_quotes(text)):
        raise ValueError(
            f"{found[0]} is not known here: the same customer at the same moment must get the same "
            f"answer again; ask for days, as in days_since_order > 30; found {text!r}"
        )
    try:
        expression = pl.sql_expr(text)
        tree = json.loads(expression.meta.serialize(format="json"))
        names = set(expression.meta.root_names())
    # Polars' parser gives up on some texts by a panic, which is no Exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError) as fault:
        raise ValueError(f"{text!r} is no condition in SQL: {_first_line(fault)}") from None
    for name in sorted(names - set(columns)):
        hint = nearest(name, columns, otherwise="docs/features.md lists what there is")
        if f'"{name}"' in text:
            hint = f"write a text in single quotes: '{name}'"
        raise ValueError(f"nothing is called {name}; {hint}")
    for part in _parts(tree):
        why = "this looks at other rows" if part in _OF_MANY_ROWS else f"{part} is not known here"
        raise ValueError(
            f"a condition reads one customer at a time, and {why}; write comparisons of "
            f"features, with AND, OR, NOT, IN, BETWEEN, LIKE; found {text!r}"
        )
    for name, value in _compared_with(expression):
        if name in CLOSED and value not in CLOSED[name]:
            raise ValueError(f"no {name} is called '{value}'; {_hint(value, CLOSED[name])}")
    _check_type(text, expression, columns)
    return expression


# Whatever a row may hold must be decided, or not, without a fault: also what nobody has seen yet.
_PROBES: Mapping[pl.DataType, tuple[Any, ...]] = {
    pl.String(): (None, "text", "", "0"),
    pl.Float64(): (None, 1.5, 0.0, -1e300),
    pl.Boolean(): (None, True, False, True),
}


def _check_type(text: str, expression: pl.Expr, columns: tuple[str, ...]) -> None:
    schema = {name: COLUMNS.get(name, pl.Boolean()) for name in columns}
    probes = pl.DataFrame({name: _PROBES[dtype] for name, dtype in schema.items()}, schema=schema)
    try:
        said = probes.select(expression.alias("holds")).get_column("holds")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
        raise ValueError(f"{text!r} cannot be decided: {_first_line(fault)}") from None
    if said.dtype != pl.Boolean:
        raise ValueError(f"{text!r} is no question; write a comparison, as in orders >= 3")


def _parts(node: Any) -> Iterator[str]:
    """The parts of an expression that read more than one row, or that nobody has thought of."""
    if isinstance(node, str):
        yield node
        return
    if not isinstance(node, dict) or len(node) != 1:
        yield "this"
        return
    ((kind, inner),) = node.items()
    if kind not in _PARTS:
        yield kind
    elif kind == "BinaryExpr":
        yield from _parts(inner["left"])
        yield from _parts(inner["right"])
    elif kind == "Ternary":
        for side in ("predicate", "truthy", "falsy"):
            yield from _parts(inner[side])
    elif kind == "Cast":
        yield from _parts(inner["expr"])
    elif kind == "Function":
        yield from _function(inner["function"])
        for argument in inner["input"]:
            yield from _parts(argument)


def _function(function: Any) -> Iterator[str]:
    name, inner = (function, None) if isinstance(function, str) else next(iter(function.items()))
    if name not in _FUNCTIONS:
        yield name
        return
    below = inner if isinstance(inner, str) else next(iter(inner), None) if inner else None
    if below in _OF_MANY_ROWS:
        yield str(below)


def _compared_with(expression: pl.Expr) -> Iterator[tuple[str, str]]:
    """Each column with each text that it is asked to equal, or to be one of."""
    inputs = expression.meta.pop()
    if _is_equality(json.loads(expression.meta.serialize(format="json"))):
        columns = [one.meta.output_name() for one in inputs if one.meta.is_column()]
        said = [pl.select(one).to_series() for one in inputs if one.meta.is_literal()]
        flat = [one.explode() if one.dtype == pl.List else one for one in said]  # of an IN
        texts = [text for one in flat if one.dtype == pl.String for text in one.drop_nulls()]
        yield from ((name, text) for name in columns for text in texts)
    for one in inputs:
        yield from _compared_with(one)


def _is_equality(tree: Any) -> bool:
    match tree:
        case {"BinaryExpr": {"op": "Eq" | "NotEq" | "EqValidity" | "NotEqValidity"}}:
            return True
        case {"Function": {"function": {"Sql": {"IsIn": _}} | {"Boolean": {"IsIn": _}}}}:
            return True
    return False


def _hint(value: str, known: tuple[str, ...]) -> str:
    alike = [one for one in known if one.lower() == value.lower()]
    near = alike or get_close_matches(value, known, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"known are {', '.join(known)}" if len(known) < 20 else "write it as ISO 3166 does: 'KR'"


def _without_quotes(text: str) -> str:
    return re.sub(r"'[^']*'", "''", text)


def _first_line(fault: BaseException) -> str:
    return str(fault).strip().splitlines()[0] if str(fault).strip() else "it cannot be read"
