"""R8 and R9: clocks that are wrong, step back, or change in the night, through the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from features.build import features_as_of
from tests.features.text import customers as nobody
from tests.serving.api.service import CART, NOON, running
from tests.serving.store.rows import customers, event, history, products

AGREES = {"customer_id": "ann", "kind": "consent", "reason": "granted"}
STOPS = {"customer_id": "ann", "kind": "unsubscribe"}


@pytest.mark.parametrize(
    ("hours", "accepted"), [(-24, 1), (0, 1), (4 / 60, 1), (6 / 60, 0), (1, 0), (24, 0)]
)
def test_r8_a_sender_whose_clock_is_wrong_by_a_day(service, hours, accepted):
    """What is more than five minutes ahead is refused with the reason; the past is taken."""
    at = (service.now + timedelta(hours=hours)).isoformat()
    answer = service.tell(CART | {"at": at})
    assert answer["accepted"] == accepted
    if not accepted:
        assert "future" in answer["rejected"][0]["fault"]["found"]


def test_r8_the_clock_of_this_machine_steps_back_an_hour(service):
    """No id is given twice, and nothing is younger than now."""
    plain = {name: value for name, value in CART.items() if name != "at"}
    ids = [service.decide(f"r{number}")["decision_id"] for number in range(3)]
    service.tell(plain, plain | {"product_id": "mug"}, AGREES)
    service.pass_time(hours=-1)
    service.tell(plain | {"kind": "view"})
    ids += [service.decide(f"s{number}")["decision_id"] for number in range(3)]
    assert len(set(ids)) == 6
    kept = service.live.store.uncompacted(99).events
    assert kept.height == 4 == kept["event_id"].n_unique()
    settings = service.live.settings.current.features
    seen = service.live.store.view_of(["ann"], now=service.live.now(), settings=settings)
    spine = pl.DataFrame({"customer_id": ["ann"]}).with_columns(as_of=pl.lit(service.live.now()))
    found = features_as_of(seen.knowledge.history, spine, nobody(), settings=settings)
    ages = found.select(pl.selectors.matches("^(days|hours)_since|_days$|_hours$"))
    assert ages.width > 3
    assert min(value for value in ages.row(0) if value is not None) >= 0


@pytest.mark.parametrize(("first", "then"), [(AGREES, STOPS), (STOPS, AGREES)])
def test_r8_a_refusal_holds_though_the_clock_steps_back(service, first, then):
    """Told last, it is not taken for older than the consent; told first, no consent from an hour
    that lies before it lifts it: where the clock leaves it open, nobody is mailed."""
    service.tell(CART, first)
    service.pass_time(hours=-1)
    service.tell(then)
    service.pass_time(hours=2)
    assert service.decide("r1")["because"][0]["code"] == "suppression"
    service.tell(AGREES)  # by the right clock
    assert service.decide("r2")["because"][0]["code"] != "suppression"


# Zone, now, and what is special about it.
NIGHTS = {
    "absent 02:30": ("America/New_York", "2026-03-08T06:45"),
    "01:30 the first time": ("America/New_York", "2026-11-01T05:30"),
    "01:30 the second time": ("America/New_York", "2026-11-01T06:30"),
    "no summer time": ("Asia/Seoul", "2026-03-08T18:00"),
    "a quarter hour": ("Asia/Kathmandu", "2026-03-08T21:45"),
    "fourteen hours ahead": ("Pacific/Kiritimati", "2026-03-08T11:00"),
    "the sender's fixed clock": ("Etc/GMT+6", "2026-03-08T08:30"),
    "no such zone": ("Atlantis/Poseidonis", "2026-03-08T06:45"),
}
AWAKE = {"quiet_from_hour": 0, "quiet_until_hour": 0}


@pytest.mark.parametrize("quiet", [True, False], ids=["quiet hours", "no quiet hours"])
@pytest.mark.parametrize("night", NIGHTS)
def test_r9_an_e_mail_leaves_at_an_hour_that_there_is_and_inside_its_window(tmp_path, night, quiet):
    zone, text = NIGHTS[night]
    now = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("UTC"))
    hours_ago = (NOON - now) / timedelta(hours=1)
    patches = [] if quiet else [{"policy": AWAKE}]
    with running(tmp_path, patches=patches) as service:
        service.now = now
        agreed = event(
            "c1", kind="consent", reason="granted", channel="email", hours_ago=hours_ago + 99
        )
        service.live.store.publish(
            history(agreed), customers({"customer_id": "ann", "timezone": zone}),
            products(*({"product_id": product} for product in ("mug", "pen", "cup"))),
            newest_events=100, compaction=0, about={},
        )  # fmt: skip
        service.tell(CART | {"at": (now - timedelta(hours=3)).isoformat()})
        asked = now + timedelta(minutes=40), now + timedelta(hours=20)
        answer = service.decide(
            "r1", earliest=asked[0].isoformat(), deadline=asked[1].isoformat(),
            emails=["cart_reminder"],
        )  # fmt: skip
    assert answer["action"] == "send", answer
    known = ZoneInfo("America/New_York" if night == "no such zone" else zone)
    sent = datetime.fromisoformat(answer["send_at"])
    local = sent.astimezone(known)
    assert local.astimezone(ZoneInfo("UTC")).astimezone(known) == local  # such an hour there is
    assert datetime.fromisoformat(answer["local_send_at"]).replace(tzinfo=None) == local.replace(
        tzinfo=None
    )
    assert asked[0] <= sent <= asked[1]
    if quiet:
        assert 8 <= local.hour < 21
