"""What came in and will not do what it was probably meant to do."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from features.acts import IS_ANY_YES, IS_YES
from features.localtime import is_zone
from serving.law import UNREADABLE, jurisdiction_of

SHOWN = 3


def doubts_of(events: pl.DataFrame, customers: pl.DataFrame) -> tuple[str, ...]:
    """A sentence for each such thing in EVENTS and CUSTOMERS that are brought in."""
    found = (_of_consent(events), no_zones(customers), no_countries(customers))
    return tuple(sentence for sentence in found if sentence)


def no_zones(customers: pl.DataFrame) -> str | None:
    """Of how many customers the newest row of CUSTOMERS names a zone that is none, and which."""
    named = _newest(customers).drop_nulls("timezone").group_by("timezone").len()
    unheard_of = {zone: count for zone, count in named.iter_rows() if not is_zone(zone)}
    if not unheard_of:
        return None
    return (
        f"{_counted(sum(unheard_of.values()), 'customer')} with a zone that is none: "
        f"{', '.join(_most(unheard_of))}; they count as default_timezone under [features]. Zones "
        "are those of the IANA list, for example 'Europe/Berlin'"
    )


def no_countries(customers: pl.DataFrame) -> str | None:
    """Of how many customers the newest row of CUSTOMERS names a country that is none, and which."""
    legal = jurisdiction_of(pl.col("country"))
    named = _newest(customers).filter(legal == UNREADABLE).group_by("country").len()
    unheard_of = dict(named.iter_rows())
    if not unheard_of:
        return None
    return (
        f"{_counted(sum(unheard_of.values()), 'customer')} with a country that is none: "
        f"{', '.join(_most(unheard_of))}; for them the strictest law holds. Countries "
        "are two letters of ISO 3166, for example 'KR'"
    )


def without_country(customers: pl.DataFrame) -> int:
    """Of how many customers the newest row of CUSTOMERS names no country at all."""
    return _newest(customers).get_column("country").null_count()


def _newest(customers: pl.DataFrame) -> pl.DataFrame:
    return customers.sort("customer_id", "known_at").unique("customer_id", keep="last")


def _of_consent(events: pl.DataFrame) -> str | None:
    lost = events.filter(IS_ANY_YES, ~IS_YES)
    if lost.is_empty():
        return None
    channels = lost.group_by(pl.col("channel").cast(pl.String).fill_null("none")).len()
    return (
        f"{_counted(lost.height, 'consent row')} not about e-mail (channel "
        f"{', '.join(_most(dict(channels.iter_rows())))}): nobody may be mailed on them. Where "
        "they mean e-mail, have the mapping say so: channel = "
        '{ column = "kind", values = { consent = "email" }, otherwise = "web" }'
    )


def _most(counts: dict[str, int]) -> Iterator[str]:
    """The most frequent, with how often; ties by name."""
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    yield from (f"{name!r} ({count:,})" for name, count in ranked[:SHOWN])
    if len(ranked) > SHOWN:
        yield f"and {len(ranked) - SHOWN} more"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
