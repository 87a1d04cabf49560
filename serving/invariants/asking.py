"""All invariants asked of decisions, and what becomes of a run that breaks one."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import polars as pl

from features.errors import OnjeError
from serving.invariants.answers import doubled, forbidden, unexplained
from serving.invariants.grounds import Grounds, sends_of
from serving.invariants.people import let_go, unmailable, withdrawn
from serving.invariants.products import unfit_products
from serving.invariants.times import out_of_time, over_caps
from serving.settings import ServingSettings

SHOWN = 5


class BrokenInvariant(OnjeError):
    """A decision that must never be made; nothing of its run may be used."""

    exit_code = 15


def assert_invariants(decisions: pl.DataFrame, grounds: Grounds, settings: ServingSettings) -> None:
    """Raise BrokenInvariant, with rules and decision ids, where rows of DECISIONS break any."""
    broken = broken_invariants(decisions, grounds, settings)
    if broken.is_empty():
        return
    named = broken.group_by("rule", maintain_order=True).agg("decision_id")
    told = [
        f"{rule} (broken by {len(ids):,}: {', '.join(ids[:SHOWN])})" for rule, ids in named.rows()
    ]
    raise BrokenInvariant(
        f"nothing is published, for decisions break what must always hold: {'; '.join(told)}. "
        "This is a fault of Onje, not of your data: report it with these ids"
    )


def broken_invariants(
    decisions: pl.DataFrame, grounds: Grounds, settings: ServingSettings
) -> pl.DataFrame:
    """`rule` and `decision_id` of each row that breaks one, in the order of the rules."""
    sends = sends_of(decisions, settings)
    parts = [
        pl.DataFrame({"rule": rule, "decision_id": list(ids)}, schema=_BROKEN)
        for rule, ids in _asked(decisions, sends, grounds, settings)
        if len(ids)
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema=_BROKEN)


_BROKEN = pl.Schema({"rule": pl.String(), "decision_id": pl.String()})


def _asked(
    decisions: pl.DataFrame, sends: pl.DataFrame, grounds: Grounds, settings: ServingSettings
) -> Iterator[tuple[str, Collection[str]]]:
    yield "I1 who may not be mailed is not", unmailable(sends, grounds, settings)
    yield "I1 whom silence let go is left in peace", let_go(sends, grounds, settings)
    yield "I2 mail leaves at allowed times", out_of_time(sends, settings)
    yield "I3 no cap is broken", over_caps(sends, grounds, settings)
    yield "I4 one answer to each question", doubled(decisions)
    yield "I5 nobody is mailed after a withdrawal", withdrawn(sends, grounds.history)
    yield "I6 products can be offered", unfit_products(sends, grounds, settings)
    yield "I7 every decision explains itself", unexplained(decisions)
    yield "I8 what is forbidden does not go", forbidden(sends)
