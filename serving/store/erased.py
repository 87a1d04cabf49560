"""Who was erased: told by a keyed hash alone, so that nothing brings them back unasked."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

import polars as pl
from sqlalchemy import Connection, delete, select, update

from features.acts import IS_YES
from features.errors import SettingsError
from serving.secret import Secret
from serving.store.marks import read_mark, write_mark
from serving.store.revisions import VALUES_AT_ONCE
from serving.store.tables import erased, revisions
from serving.tables import UTC

PURPOSE = "erased customers"
# A hash of nothing under the same key: it tells whether the key is still the same.
KEY_MARK = "erased_key"
CONTROL = ""


@dataclass(frozen=True)
class Names:
    """What erased customers are called: HMAC-SHA256 of their id, which nobody guesses keyless."""

    key: bytes | None = field(repr=False)

    @classmethod
    def of(cls, secret: Secret | None) -> Names:
        """Without a secret nobody has a name; that will do as long as nobody was erased."""
        return cls(None if secret is None else secret.derive(PURPOSE))

    def name(self, text: str) -> str:
        if self.key is None:
            raise SettingsError(
                "the store was opened without the root secret, and somebody was erased from it; "
                "set ONJE_SECRET, or ONJE_HOME to the folder that holds the file `secret`"
            )
        return hmac.digest(self.key, text.encode("utf-8", "surrogatepass"), sha256).hex()


@dataclass(frozen=True)
class Erasure:
    """That somebody was erased. `swept_at`: since when nothing outside the store holds them.

    What happened from `again_at` on is of a new life, which they began themselves.
    """

    name: str
    at: datetime
    again_at: datetime | None
    swept_at: datetime | None


def check_key(connection: Connection, names: Names) -> None:
    """SettingsError where the key is not the one under which customers were erased."""
    kept = read_mark(connection, KEY_MARK)
    if kept is not None and kept != names.name(CONTROL):
        raise SettingsError(
            "customers were erased under another root secret, so nobody could tell who; bring "
            "back that ONJE_SECRET, or the file `secret` of that ONJE_HOME"
        )


def keep_key(connection: Connection, names: Names) -> None:
    check_key(connection, names)
    write_mark(connection, KEY_MARK, names.name(CONTROL))


def all_erasures(connection: Connection) -> list[Erasure]:
    """Everybody who was erased, oldest first."""
    rows = connection.execute(select(erased).order_by(erased.c.at, erased.c.name))
    return [Erasure(row.name, row.at, row.again_at, row.swept_at) for row in rows]


def erasures_of(
    connection: Connection, names: Names, customer_ids: Iterable[str]
) -> dict[str, Erasure]:
    """Those of these customers who were erased, by id."""
    if connection.scalar(select(erased.c.name).limit(1)) is None:
        return {}
    ids = {names.name(customer_id): customer_id for customer_id in set(customer_ids)}
    asked = sorted(ids)
    found: dict[str, Erasure] = {}
    for start in range(0, len(asked), VALUES_AT_ONCE):
        some = asked[start : start + VALUES_AT_ONCE]
        for row in connection.execute(select(erased).where(erased.c.name.in_(some))):
            found[ids[row.name]] = Erasure(row.name, row.at, row.again_at, row.swept_at)
    return found


def gone_of(connection: Connection, names: Names, customer_ids: Iterable[str]) -> frozenset[str]:
    """Those of these customers who were erased and have not begun anew."""
    told = erasures_of(connection, names, customer_ids)
    return frozenset(one for one, erasure in told.items() if erasure.again_at is None)


def gone_of_held(connection: Connection, names: Names, held: Iterable[str]) -> frozenset[str]:
    """Like `gone_of`, for customers whose revisions this transaction holds: theirs go again."""
    gone = gone_of(connection, names, held)
    if gone:
        connection.execute(delete(revisions).where(revisions.c.customer_id.in_(sorted(gone))))
    return gone


def is_gone(rows: pl.DataFrame, erasures: Mapping[str, Erasure], when: str) -> pl.Series:
    """Whether each row (customer_id and the moment `when`) is of a life that was erased."""
    if not erasures:
        return pl.repeat(False, rows.height, eager=True)
    told = pl.DataFrame(
        {"customer_id": erasures.keys(), "again_at": [one.again_at for one in erasures.values()]},
        schema={"customer_id": pl.String, "again_at": UTC},
    ).with_columns(is_erased=pl.lit(True))
    before = pl.col("again_at").is_null() | (pl.col(when) < pl.col("again_at"))
    return (
        rows.lazy()
        .select("customer_id", when)
        .join(told.lazy(), on="customer_id", how="left", maintain_order="left")
        .select((pl.col("is_erased") & before).fill_null(False).alias("gone"))
        .collect()
        .to_series()
    )


def admit(connection: Connection, names: Names, told: pl.DataFrame) -> pl.DataFrame:
    """The events (columns of EVENTS) that are not of an erased life.

    Whoever signs up or agrees to e-mail after they were erased begins a new life with that; what
    lies before it stays out for good.
    """
    erasures = erasures_of(connection, names, told["customer_id"].unique().to_list())
    if not erasures:
        return told
    begun = beginnings(told, erasures)
    for customer_id, at in begun.items():
        name = erasures[customer_id].name
        connection.execute(update(erased).where(erased.c.name == name).values(again_at=at))
        erasures[customer_id] = replace(erasures[customer_id], again_at=at)
    return told.filter(~is_gone(told, erasures, "at"))


def beginnings(told: pl.DataFrame, erasures: Mapping[str, Erasure]) -> dict[str, datetime]:
    """When those who are erased begin anew by these events: the first such act after it."""
    waiting = {one: told_of.at for one, told_of in erasures.items() if told_of.again_at is None}
    if not waiting:
        return {}
    since = pl.col("customer_id").replace_strict(waiting, default=None, return_dtype=UTC)
    is_grant = IS_YES & (pl.col("reason") == "granted")  # none is confirmed that nobody knows
    is_fresh = (pl.col("kind").cast(pl.String) == "signup") | is_grant.fill_null(False)
    acts = told.filter(is_fresh & (pl.col("at") > since))
    return dict(acts.group_by("customer_id").agg(pl.col("at").min()).iter_rows())


def note_swept(connection: Connection, names: Collection[str], at: datetime) -> None:
    """Note that nothing outside the store holds these any more."""
    for name in sorted(names):
        connection.execute(update(erased).where(erased.c.name == name).values(swept_at=at))
