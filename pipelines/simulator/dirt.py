"""Clean events become what a shop really receives: machines, copies, late news, soft bounces.

Nothing here changes what happened: it changes what is seen of it. How much there is of each kind
stands in the world's settings, how it looks stands here.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipelines.simulator.arrays import Floats
from pipelines.simulator.luck import luck
from pipelines.simulator.rows import KIND
from pipelines.simulator.worlds import WorldSettings

# A mail app that hides its owner fetches nearly every mail, within half an hour of delivery.
# Times that end in _S are seconds, from and until.
PREFETCHED = 0.95
PREFETCH_S = (2.0, 1800.0)
# A corporate gateway follows the links of a mail within a breath, before anybody can read it.
SCAN_STARTS_S = (1.0, 8.0)
SCAN_LASTS_S = 1.9
SCANNED_LINKS = ("/", "/new", "/sale", "/account", "/help", "/imprint")
FEWEST_SCANNED = 3
LATE_S = (3600.0, 48 * 3600.0)
COPY_LATE_S = (60.0, 48 * 3600.0)
# A shop knows its own sends at once, and who signed up or what they consented to.
NEVER_LATE = ("send", "signup", "consent")
ANSWERS = ("open", "click", "complaint", "unsubscribe", "bounce")


def soil(
    events: pl.DataFrame, people: pl.DataFrame, *, settings: WorldSettings, seed: int
) -> pl.DataFrame:
    """EVENTS as they arrive of EVENTS as they happened (`known_at` = `at`), in no order.

    `people` has customer_id, mpp (their mail app fetches every mail) and gateway (a scanner reads
    their mail first). All events of a message have to come together, others in any blocks: what
    is drawn belongs to the id of the event or the message, so blocks do not matter.
    """
    seen = _softly_bounced(events, settings.soft_bounce_share, seed)
    seen = _prefetched(seen, people, settings.machine_flagged_share, seed)
    seen = pl.concat([seen, _scanner_clicks(seen, people, settings.scanned_share, seed)])
    return _with_copies(_made_late(seen, settings.late_share, seed), settings.duplicate_share, seed)


def _softly_bounced(events: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    """That share of the mails which nobody would have answered comes back instead of arriving.

    Only those: so nothing that was to happen is lost, and the truth stays what it is.
    """
    answered = events.filter(pl.col("kind").is_in(ANSWERS))["message_id"].drop_nulls().unique()
    returned = events.filter(
        pl.col("kind") == "deliver", ~pl.col("message_id").is_in(answered.implode())
    )
    lost = returned.filter(_drawn(returned["message_id"], "soft bounce", share, seed))
    is_lost = (pl.col("kind") == "deliver") & pl.col("message_id").is_in(
        lost["message_id"].implode()
    )
    return events.with_columns(
        kind=pl.when(is_lost).then(_kind("bounce")).otherwise("kind"),
        reason=pl.when(is_lost).then(pl.lit("soft")).otherwise("reason"),
    )


def _prefetched(
    events: pl.DataFrame, people: pl.DataFrame, flagged: float, seed: int
) -> pl.DataFrame:
    """With an open by the app for each mail that it fetched; when its owner looks, nobody sees.

    Only some senders notice: that share is marked `machine`, the rest looks like a person's.
    """
    delivered = _delivered_to(events, people, "mpp")
    fetched = delivered.filter(_drawn(delivered["message_id"], "prefetch", PREFETCHED, seed))
    ids = fetched["message_id"]
    delay = _between(PREFETCH_S, luck(ids, "prefetch after", seed=seed))
    opens = fetched.with_columns(
        event_id=pl.format("{}:fetch", "message_id"),
        at=pl.col("at") + delay,
        known_at=pl.col("at") + delay,
        kind=_kind("open"),
        machine=pl.when(_drawn(ids, "prefetch is noticed", flagged, seed)).then(True),
    )
    hidden = (pl.col("kind") == "open") & pl.col("message_id").is_in(ids.implode())
    return pl.concat([events.filter(~hidden.fill_null(False)), opens])


def _scanner_clicks(
    events: pl.DataFrame, people: pl.DataFrame, share: float, seed: int
) -> pl.DataFrame:
    """Three and more links of a mail within two seconds, right after delivery; nobody says so."""
    delivered = _delivered_to(events, people, "gateway")
    scanned = delivered.filter(_drawn(delivered["message_id"], "scan", share, seed))
    ids = scanned["message_id"]
    more = len(SCANNED_LINKS) - FEWEST_SCANNED + 1
    links = FEWEST_SCANNED + np.floor(luck(ids, "scanned links", seed=seed) * more)
    lowest, highest = SCAN_STARTS_S
    starts = lowest + (highest - lowest) * luck(ids, "scan after", seed=seed)
    numbered = scanned.with_columns(
        __starts=_seconds(starts), __link=pl.int_ranges(pl.Series(links, dtype=pl.Int64))
    ).explode("__link", empty_as_null=False)
    # Evenly within the time it takes, whatever the number of links.
    step = pl.duration(milliseconds=int(1000 * SCAN_LASTS_S / len(SCANNED_LINKS)))
    clicked_at = pl.col("at") + pl.col("__starts") + step * pl.col("__link")
    link = pl.Series(SCANNED_LINKS)
    return numbered.with_columns(
        event_id=pl.format("{}:scan:{}", "message_id", "__link"),
        at=clicked_at,
        known_at=clicked_at,
        kind=_kind("click"),
        link=pl.col("__link").replace_strict(
            list(range(len(link))), list(link), return_dtype=pl.String
        ),
    ).select(events.columns)


def _made_late(events: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    """That share is heard of hours to two days after it happened, and so out of order."""
    ids = events["event_id"]
    is_late = _drawn(ids, "late", share, seed)
    delay = _between(LATE_S, luck(ids, "how late", seed=seed))
    return events.with_columns(
        known_at=pl.when(is_late & ~pl.col("kind").is_in(NEVER_LATE))
        .then(pl.col("known_at") + delay)
        .otherwise("known_at")
    )


def _with_copies(events: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    """That share comes twice under the same id: half of it at once, half of it later."""
    copied = events.filter(_drawn(events["event_id"], "copy", share, seed))
    ids = copied["event_id"]
    delay = _between(COPY_LATE_S, luck(ids, "copy after", seed=seed))
    later = (
        pl.when(_drawn(ids, "copy at once", 0.5, seed))
        .then("known_at")
        .otherwise(pl.col("known_at") + delay)
    )
    return pl.concat([events, copied.with_columns(known_at=later)])


def _delivered_to(events: pl.DataFrame, people: pl.DataFrame, which: str) -> pl.DataFrame:
    """What was delivered to those customers; nothing but the message is taken over from it."""
    theirs = people.filter(pl.col(which))["customer_id"]
    return events.filter(pl.col("kind") == "deliver", pl.col("customer_id").is_in(theirs.implode()))


def _drawn(ids: pl.Series, purpose: str, share: float, seed: int) -> pl.Series:
    """Whether each id is among that share."""
    return pl.Series(luck(ids, purpose, seed=seed) < share)


def _kind(name: str) -> pl.Expr:
    return pl.lit(name, dtype=KIND)


def _between(ends: tuple[float, float], uniform: Floats) -> pl.Series:
    """Durations between two ends in seconds: many short ones, some long (log-uniform)."""
    lowest, highest = ends
    return _seconds(lowest * (highest / lowest) ** uniform)


def _seconds(values: Floats) -> pl.Series:
    return pl.Series(np.rint(values * 1e6).astype(np.int64)).cast(pl.Duration("us"))
