"""Real facts are those of the shared data; a world's figures are counted as they are stated."""

import json
from datetime import timedelta

import polars as pl
import pytest

from pipelines.simulator import facts
from pipelines.simulator.facts import FACTS
from pipelines.simulator.measure import compared, measured
from tests.pipelines.simulator.mails import DAY, events
from tests.shared_data import shared_data

BEHIND = 5  # hours of New York, where the sender is, behind UTC in winter


def mail(message, customer, *, day=0, hour=8, opened=None, clicked=None, **more):
    """A mail of an hour of the sender's clock, and what became of it so many hours later."""
    sent = DAY + timedelta(days=day, hours=hour + BEHIND)
    after = {"send": 0, "open": opened, "click": clicked, **more}
    return [
        {
            "message_id": message, "customer_id": customer, "kind": kind,
            "at": sent + timedelta(hours=hours),
        }
        for kind, hours in after.items()
        if hours is not None
    ]  # fmt: skip


def figures(rows):
    return dict(measured(events(pl.DataFrame(rows))).rows())


def test_the_facts_are_those_of_the_shared_data():
    found = json.loads(shared_data("calibration_facts", "facts.json").read_text())
    rees46 = found["rees46_direct_messaging"]
    sample, larger = rees46["sample_of_clients"], rees46["messages_20583769_row_variant"]
    hours = rees46["raw_open_rate_by_send_hour_all_channels_read_off_chart_pm_0.005"]
    pressed = {row["bin"]: row["open"] for row in rees46["open_rate_by_messages_in_last_30_days"]}
    cdf = rees46["time_send_to_first_click_hours"]["cdf"]

    def mean(chosen):
        return sum(hours[str(hour)] for hour in chosen) / len(chosen)

    top = rees46["sends_top_hours"]
    real = {
        facts.OPENED: sample["opened_share"],
        facts.CLICKED: sample["clicked_share"],
        facts.UNSUBSCRIBED: sample["unsubscribed_share"],
        facts.COMPLAINED: larger["complained"],
        facts.EVER_OPENED: sample["clients_who_ever_opened"] / sample["clients"],
        facts.NIGHT_OVER_MORNING: mean(facts.NIGHT) / mean(facts.MORNING),
        facts.SENT_IN_THE_MORNING: sum(top[str(hour)] for hour in facts.MORNING)
        / sample["messages"],
    }
    real |= {facts.clicked_within(hours): cdf[f"{hours:g}h"] for hours in facts.CLICK_HOURS}
    priors = rees46["open_rate_given_own_prior_1_month_open_rate"]
    real |= {
        facts.opened_after(ends): row["open"]
        for ends, row in zip(facts.PRIOR_BINS, priors, strict=True)
    }
    weekdays = rees46["share_of_sends_by_weekday_mon_to_sun"]
    real |= {
        facts.sent_on(name): share for name, share in zip(facts.WEEKDAYS, weekdays, strict=True)
    }
    real |= {
        facts.pressed(ends): pressed["{}-{}".format(*ends)] / pressed["0-5"]
        for ends in facts.PRESSURE_BINS[1:]
    }
    assert {fact.name: fact.real for fact in FACTS} == pytest.approx(real, rel=2e-3)
    assert [f"{low:.2f}-{high:.2f}" for low, high in facts.PRIOR_BINS] == [
        row["prior"] for row in priors
    ]


def test_every_real_figure_lies_within_its_own_bounds():
    assert all(0 <= fact.low < fact.real < fact.high for fact in FACTS)
    assert len({fact.name for fact in FACTS}) == len(FACTS)


def test_rates_are_per_mail_sent():
    rows = [
        *mail("m1", "c1", opened=1, clicked=2),
        *mail("m2", "c1", day=1, opened=1, unsubscribe=3),
        *mail("m3", "c2", opened=1, complaint=3),
        *mail("m4", "c3"),
        *mail("m5", "c3", day=1),
    ]
    found = figures(rows)
    assert found[facts.OPENED] == pytest.approx(3 / 5)
    assert found[facts.CLICKED] == found[facts.UNSUBSCRIBED] == found[facts.COMPLAINED] == 1 / 5
    assert found[facts.EVER_OPENED] == pytest.approx(2 / 3)


def test_what_a_machine_opened_counts_only_where_nobody_said_so():
    seen = events(pl.DataFrame([*mail("m1", "c1", opened=1), *mail("m2", "c1", opened=1)]))
    is_said = (pl.col("message_id") == "m1") & (pl.col("kind") == "open")
    said = seen.with_columns(machine=pl.when(is_said).then(True))
    assert dict(measured(said).rows())[facts.OPENED] == 0.5


def test_a_burst_of_links_is_a_scanner_and_a_person_may_click_after_it():
    burst = [
        {"message_id": message, "customer_id": "c1", "kind": "click",
         "at": DAY + timedelta(hours=7, seconds=5, milliseconds=600 * place)}
        for message in ("m1", "m2") for place in range(3)
    ]  # fmt: skip
    rows = [*mail("m1", "c1"), *mail("m2", "c1", clicked=20), *mail("m3", "c1"), *burst]
    # Three clicks on one link are a person's impatience.
    rows += [{**one, "message_id": "m3"} for one in burst[:3]]
    seen = events(pl.DataFrame(rows).with_row_index("place")).drop("attributes")
    is_one_link = pl.col("message_id") == "m3"
    place = pl.int_range(pl.len()).cast(pl.String)
    linked = seen.with_columns(link=pl.when(is_one_link).then(pl.lit("hero")).otherwise(place))
    found = dict(measured(linked).rows())
    assert found[facts.CLICKED] == pytest.approx(2 / 3)
    assert found[facts.clicked_within(0.25)] == 0.5  # m3 at once, m2 after 20 hours
    assert found[facts.clicked_within(24)] == 1.0


def test_delays_run_from_the_send_to_the_first_click():
    rows = [
        *mail("m1", "c1", clicked=0.25),
        *mail("m2", "c1", clicked=5),
        *mail("m3", "c1", clicked=100),
        *mail("m4", "c1", clicked=200),
    ]
    again = {**rows[1], "at": rows[1]["at"] + timedelta(hours=90)}  # m1 is clicked once more
    found = figures([again, *rows])
    assert [found[facts.clicked_within(hours)] for hours in facts.CLICK_HOURS] == [
        0.25, 0.25, 0.5, 0.5, 0.5, 0.75,
    ]  # fmt: skip


def test_hours_and_weekdays_are_those_of_the_sender_s_clock():
    rows = [
        *mail("m1", "c1", hour=7),  # Monday
        *mail("m2", "c1", day=5, hour=6.9),  # Saturday
        *mail("m3", "c1", day=6, hour=10),  # Sunday
        *mail("m4", "c2", day=6, hour=23.9),  # Sunday there, Monday in UTC
        # In July their clock is an hour less behind.
        *mail("m5", "c2", day=182, hour=8.9),
        *mail("m6", "c2", day=182, hour=9.1),
    ]
    found = figures(rows)
    assert found[facts.SENT_IN_THE_MORNING] == pytest.approx(2 / 6)
    days = [found[facts.sent_on(name)] for name in facts.WEEKDAYS]
    assert days == pytest.approx([3 / 6, 0, 0, 0, 0, 1 / 6, 2 / 6])


def test_raw_open_rates_are_averaged_over_hours_not_mails():
    rows = [
        *mail("m1", "c1", hour=3, opened=1),
        *mail("m2", "c1", hour=4),
        *mail("m3", "c1", hour=8, opened=1),
        *(row for place in range(3) for row in mail(f"n{place}", "c1", hour=8, day=1 + place)),
    ]
    assert figures(rows)[facts.NIGHT_OVER_MORNING] == pytest.approx(0.5 / 0.25)


def test_own_rate_before_counts_the_thirty_days_before_and_not_the_mail_itself():
    rows = [
        *mail("m1", "c1", day=0, opened=1),  # nothing before it
        *mail("m2", "c1", day=10),  # 1 of 1 before it
        *mail("m3", "c1", day=20, opened=1),  # 1 of 2
        *mail("m4", "c1", day=35, opened=1),  # m1 is forgotten: 1 of 2
        *mail("m5", "c1", day=80),  # all is forgotten
        *mail("m6", "c2", day=0),
        *mail("m7", "c2", day=1, opened=1),  # 0 of 1
        *mail("m8", "c2", day=2),  # 1 of 2
    ]
    found = figures(rows)
    rates = [found[facts.opened_after(ends)] for ends in facts.PRIOR_BINS]
    assert rates == [1.0, None, pytest.approx(2 / 3), 0.0]


def test_pressure_is_how_many_mails_came_before():
    daily = [
        row
        for day in range(12)
        for row in mail(f"m{day}", "c1", day=day, opened=1 if day in (0, 6, 7, 8, 11) else None)
    ]
    found = figures(daily)
    # Mails 0 to 5 came after 0 to 5: one of six opened; then three of five; then one of one.
    assert found[facts.pressed((6, 10))] == pytest.approx((3 / 5) / (1 / 6))
    assert found[facts.pressed((11, 20))] == pytest.approx(1 / (1 / 6))


def test_copies_of_an_event_count_once():
    rows = [*mail("m1", "c1", opened=1), *mail("m2", "c1")]
    once = events(pl.DataFrame(rows))
    twice = pl.concat([once, once.filter(pl.col("message_id") == "m1")])
    assert measured(twice).equals(measured(once))


def test_the_table_says_what_lies_within_and_what_cannot_be_said():
    rows = [*mail("m1", "c1", opened=1), *mail("m2", "c1")]
    table = compared(events(pl.DataFrame(rows)))
    assert table.columns == ["fact", "channels", "real", "low", "high", "world", "within"]
    assert table["fact"].to_list() == [fact.name for fact in FACTS]
    within = dict(table.select("fact", "within").rows())
    assert within[facts.OPENED] is False  # half is too many
    assert within[facts.sent_on("Sunday")] is True  # none at all is little enough
    assert within[facts.clicked_within(1)] is None  # nobody clicked


def test_nothing_sent_says_nothing():
    rows = events(pl.DataFrame(mail("m1", "c1"))).head(0)
    table = compared(rows)
    assert table["world"].is_null().all() and table["within"].is_null().all()
