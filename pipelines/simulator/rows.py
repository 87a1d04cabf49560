"""Events in numbers, as the simulated shop keeps them."""

from __future__ import annotations

from typing import Any

import polars as pl

from features.contracts import KINDS
from pipelines.simulator.arrays import Flags, Floats, Ints

KIND = pl.Enum(KINDS)
REASONS = ("granted", "denied", "hard")
ROWS: dict[str, pl.DataType] = {
    "customer": pl.Int32(),
    "at": pl.Int64(),  # microseconds
    "kind": KIND,
    "by_mail": pl.Boolean(),  # channel e-mail instead of web or app
    "product": pl.Int32(),
    "quantity": pl.Float32(),
    "cents": pl.Int64(),
    "off": pl.Int64(),  # discount in cents, taken off already
    "seconds": pl.Float32(),
    "reason": pl.Int8(),
    "word": pl.Int8(),
    "order": pl.Int32(),  # number of an own order
    "mail": pl.Int32(),  # number of the mail that it answers, or whose coupon it uses
    "caused": pl.Boolean(),  # whether the mail brought it about: its id is the mail's
    "number": pl.Int64(),  # of a row of the own life
    "place": pl.Int32(),  # tells the rows of one mail or one order apart
}
MAILS: dict[str, pl.DataType] = {
    "message_id": pl.String(),
    "decision_id": pl.String(),
    "email": pl.String(),
    "variant": pl.String(),
}
_NO_ROWS = pl.DataFrame(schema=ROWS)
_KINDS = {kind: pl.Series("kind", [kind], dtype=KIND) for kind in KINDS}


def rows(kind: str, customer: Ints, at: Ints, **columns: Any) -> pl.DataFrame:
    """Rows of one kind with the columns of ROWS that are given; `together` adds the others."""
    given = {"customer": customer, "at": at, **columns}
    series = [pl.Series(name, values).cast(ROWS[name]) for name, values in given.items()]
    return pl.DataFrame([*series, _KINDS[kind].new_from_index(0, len(customer))])


def together(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """All of ROWS; what nobody gave is null, `caused` and `by_mail` are false."""
    everything = pl.concat([_NO_ROWS, *parts], how="diagonal")
    return everything.with_columns(pl.col("caused", "by_mail").fill_null(False))


def is_kept(lived: pl.DataFrame, is_cancelled: Flags) -> pl.Series:
    """Whether each row of the own life takes place, now that these own orders do not."""
    order = lived.get_column("order")
    gone = pl.Series(is_cancelled).gather(order.cast(pl.UInt32))
    return ~gone.fill_null(False)


def as_it_came(
    lived: pl.DataFrame, is_cancelled: Flags, coupon: Floats, coupon_mail: Ints
) -> pl.DataFrame:
    """The own life without the orders that mails brought forward, and with coupons redeemed.

    `coupon` is the share off each own order, `coupon_mail` the number of the mail that brought it.
    """
    kept = lived.filter(is_kept(lived, is_cancelled))
    order = kept.get_column("order").cast(pl.UInt32)
    share = pl.Series(coupon).gather(order)
    uses = pl.Series((share > 0).fill_null(False)) & kept["kind"].is_in(["order", "refund"])
    if not uses.any():
        return kept
    off = pl.when(uses).then((pl.col("cents") * share).round(0).cast(pl.Int64))
    mail = pl.Series(coupon_mail).gather(order).cast(pl.Int32)
    changed = kept.with_columns(
        off=pl.when(pl.col("kind") == "order").then(off),
        cents=pl.col("cents") - off.fill_null(0),
        mail=pl.when(uses).then(mail),
    )
    redeemed = changed.filter(pl.col("off").is_not_null()).unique("order", maintain_order=True)
    return together(
        [
            changed,
            rows("redeem", redeemed["customer"].to_numpy(), redeemed["at"].to_numpy(),
                 off=redeemed["off"], order=redeemed["order"], mail=redeemed["mail"]),
        ]
    )  # fmt: skip
