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
from serving.store.marks import read_mark
from serving.store.tables import erased, marks, revisions
from serving.store.upsert import insert_for
from serving.store.values import some_at_a_time
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


def is_kept(connection: Connection, names: Names) -> bool:
    """Whether the store knows its key, or need not; SettingsError where it is another one.

    Whoever has no secret may go on as long as nobody was erased.
    """
    if names.key is None:
        return not has_erased(connection, names)
    kept = read_mark(connection, KEY_MARK)
    _compare(kept, names)
    return kept is not None


def keep_key(connection: Connection, names: Names) -> None:
    """Let the store belong to this key from now on; SettingsError where it has another one."""
    row = {"name": KEY_MARK, "value": names.name(CONTROL)}
    # Of two that come at once the first stays, and the second one is told.
    connection.execute(insert_for(connection, marks).on_conflict_do_nothing(), row)
    is_kept(connection, names)


def has_erased(connection: Connection, names: Names) -> bool:
    """Whether anybody was ever erased; SettingsError where nobody could tell who by this key."""
    anybody = select(erased.c.name).limit(1).scalar_subquery()
    kept = select(marks.c.value).where(marks.c.name == KEY_MARK).scalar_subquery()
    row = connection.execute(select(anybody.label("anybody"), kept.label("kept"))).one()
    if row.anybody is None:
        return False
    _compare(row.kept, names)
    return True


def _compare(kept: str | None, names: Names) -> None:
    if kept is not None and kept != names.name(CONTROL):
        raise SettingsError(
            "the store belongs to another root secret, so nobody could tell who was erased; bring "
            "back that ONJE_SECRET, or the file `secret` of that ONJE_HOME. Every machine on one "
            "store needs the same, see docs/operate-store.md"
        )


def all_erasures(connection: Connection) -> list[Erasure]:
    """Everybody who was erased, oldest first."""
    rows = connection.execute(select(erased).order_by(erased.c.at, erased.c.name))
    return [Erasure(row.name, row.at, row.again_at, row.swept_at) for row in rows]


def erasures_of(
    connection: Connection, names: Names, customer_ids: Iterable[str]
) -> dict[str, Erasure]:
    """Those of these customers who were erased, by id."""
    if not has_erased(connection, names):
        return {}
    ids = {names.name(customer_id): customer_id for customer_id in set(customer_ids)}
    found: dict[str, Erasure] = {}
    for some in some_at_a_time(sorted(ids)):
        for row in connection.execute(select(erased).where(erased.c.name.in_(some))):
            found[ids[row.name]] = Erasure(row.name, row.at, row.again_at, row.swept_at)
    return found


def gone_of(connection: Connection, names: Names, customer_ids: Iterable[str]) -> frozenset[str]:
    """Those of these customers who were erased and have not begun anew."""
    told = erasures_of(connection, names, customer_ids)
    return frozenset(one for one, erasure in told.items() if erasure.again_at is None)


def gone_of_held(connection: Connection, names: Names, held: Iterable[str]) -> frozenset[str]:
    """Like `gone_of`, for customers whose revisions this transaction holds: theirs go again."""
    return _let_go(connection, erasures_of(connection, names, held))


def erasures_of_held(
    connection: Connection, names: Names, held: Iterable[str]
) -> dict[str, Erasure]:
    """Like `erasures_of`, for customers whose revisions this transaction holds.

    Those of whoever has not begun anew go again.
    """
    told = erasures_of(connection, names, held)
    _let_go(connection, told)
    return told


def _let_go(connection: Connection, told: Mapping[str, Erasure]) -> frozenset[str]:
    gone = frozenset(one for one, erasure in told.items() if erasure.again_at is None)
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
