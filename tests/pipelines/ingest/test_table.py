from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from features.errors import DataError
from features.tables import EVENTS
from pipelines.ingest.mapping_file import load_mapping
from pipelines.ingest.table import read_table
from tests.pipelines.ingest.files import MAPPING, NOW, ingested, written

ROWS = """
    who | basket | when             | what | units | paid
    ann | 1      | 2024-05-01 09:00 | mug  | 2     | 12.50
    ann | 1      | 2024-05-01 09:00 | pen  | 1     | 1.10
        | 2      | 2024-05-01 10:00 | pen  | 1     | 1.10
    ann | 3      | 2024-05-04 09:00 | mug  | -1    | -6.25
    ann | 1      | 2024-05-01 09:00 | pen  | 1     | 1.10
    bob | 4      | 2024-05-05 09:00 | pen  | many  | 1.10
    bob | 5      | 2024-05-05 09:00 | pen  | 1     | -1.10
    bob | 6      | 2024-08-05 09:00 | pen  | 1     | 1.10
    bob | 7      | 05.05.2024       | pen  | 1     | 1.10
        |        |                  |      |       |
"""


def test_every_row_is_accounted_for_exactly_once(tmp_path):
    account = ingested(tmp_path, ROWS).accounts[0]

    assert account.rows == 10
    assert account.became == {"order": 2, "refund": 1, "duplicate": 1}
    assert account.rejected == {
        "a guest": 1,
        "units is not a number": 1,
        "breaks the rule: money is not negative and has a currency": 1,
        "breaks the rule: it did not happen in the future": 1,
        "when is not a time that was on a clock in Europe/Berlin": 1,
        "the line is empty": 1,
    }
    assert account.unaccounted == 0


def test_a_rejected_row_is_kept_as_it_stood_with_its_number_in_the_file(tmp_path):
    rejected = ingested(tmp_path, ROWS).intakes[0].split.rejected

    many = rejected.filter(pl.col("units") == "many").row(0, named=True)
    assert many == {
        "row in file": 6, "who": "bob", "basket": "4", "when": "2024-05-05 09:00", "what": "pen",
        "units": "many", "paid": "1.10", "reason": "units is not a number",
    }  # fmt: skip


def test_an_order_line_in_the_columns_of_events(tmp_path):
    event = ingested(tmp_path, ROWS).events.row(0, named=True)

    told = {name: value for name, value in event.items() if value is not None}
    assert told.pop("event_id").startswith("shop:")
    nine_in_berlin = datetime(2024, 5, 1, 7, tzinfo=UTC)
    assert told == {
        "customer_id": "ann", "at": nine_in_berlin, "known_at": nine_in_berlin, "kind": "order",
        "channel": "web", "product_id": "mug", "quantity": 2.0, "amount": Decimal("12.5000"),
        "currency": "EUR", "order_id": "1", "source": "shop",
    }  # fmt: skip


def test_a_refund_is_positive_whatever_sign_the_file_uses(tmp_path):
    refund = ingested(tmp_path, ROWS).events.filter(pl.col("kind") == "refund")

    assert refund["amount"].to_list() == [Decimal("6.2500")]
    assert refund["quantity"].to_list() == [1.0]


def test_the_same_file_has_the_same_events_again(tmp_path):
    assert ingested(tmp_path, ROWS).events.equals(ingested(tmp_path, ROWS).events)


def test_mending_the_mapping_does_not_make_other_events_of_the_same_rows(tmp_path):
    mended = MAPPING.replace('channel = { constant = "web" }', 'channel = { constant = "app" }')

    ids = set(ingested(tmp_path, ROWS).events["event_id"])
    assert set(ingested(tmp_path, ROWS, mended).events["event_id"]) == ids


def test_two_equal_lines_are_two_events_where_the_mapping_says_so(tmp_path):
    kept = MAPPING.replace('exact = "drop"', 'exact = "keep"')

    account = ingested(tmp_path, ROWS, kept).accounts[0]
    assert account.became == {"order": 3, "refund": 1}
    events = ingested(tmp_path, ROWS, kept).events
    assert events["event_id"].n_unique() == 4
    assert set(ingested(tmp_path, ROWS, kept).events["event_id"]) == set(events["event_id"])


def test_the_producers_id_is_the_event_where_the_mapping_names_it(tmp_path):
    own = MAPPING.replace("[event]", '[event]\nevent_id = ["basket", "what"]')
    rows = """
        who | basket | when             | what | units | paid
        ann | 1      | 2024-05-01 09:00 | mug  | 2     | 12.50
        ann | 1      | 2024-05-02 09:00 | mug  | 3     | 12.50
        ann |        | 2024-05-02 09:00 | mug  | 3     | 12.50
    """

    done = ingested(tmp_path, rows, own)
    assert done.events["event_id"].to_list() == ["shop:1:mug"]
    assert done.events["quantity"].to_list() == [2.0]  # the copy known earliest
    assert done.accounts[0].became == {"order": 1, "duplicate": 1}
    assert done.accounts[0].rejected == {"basket, which names the event, is missing": 1}


@pytest.mark.parametrize(
    ("known_at", "expected"),
    [
        ('known_at = "at"', "2024-05-01T07:00:00+00:00"),
        ('known_at = "now"', "2024-07-01T00:00:00+00:00"),
        ('known_at = "column"\nknown_at_column = "told"', "2024-05-03T10:00:00+00:00"),
    ],
)
def test_when_it_was_known(tmp_path, known_at, expected):
    rows = """
        who | basket | when             | what | units | paid | told
        ann | 1      | 2024-05-01 09:00 | mug  | 2     | 12.5 | 2024-05-03T12:00:00+02:00
    """
    events = ingested(tmp_path, rows, MAPPING.replace('known_at = "at"', known_at)).events
    assert events["known_at"].item().isoformat() == expected


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2024-01-01 09:00", "2024-01-01T08:00:00+00:00"),
        ("2024-01-01T09:00:00.5", "2024-01-01T08:00:00.500000+00:00"),
        ("2024-01-01", "2023-12-31T23:00:00+00:00"),
        ("2024-01-01T09:00:00Z", "2024-01-01T09:00:00+00:00"),
        ("2024-01-01 09:00:00+0900", "2024-01-01T00:00:00+00:00"),
        ("2023-10-29 02:30", "2023-10-29T00:30:00+00:00"),  # twice on the clock: the first
        ("2024-03-31 02:30", None),  # never on the clock
    ],
)
def test_how_a_time_is_read(tmp_path, when, expected):
    rows = f"""
        who | basket | when   | what | units | paid
        ann | 1      | {when} | mug  | 2     | 12.5
    """
    at = [moment.isoformat() for moment in ingested(tmp_path, rows).events["at"]]
    assert at == ([] if expected is None else [expected])


def test_a_time_a_little_ahead_is_now_and_a_time_far_ahead_is_rejected(tmp_path):
    def when(ahead: timedelta) -> str:
        return (NOW + ahead).isoformat()

    rows = f"""
        who | basket | when                         | what | units | paid
        ann | 1      | {when(timedelta(minutes=4))} | mug  | 2     | 12.5
        ann | 2      | {when(timedelta(minutes=6))} | mug  | 2     | 12.5
    """
    events = ingested(tmp_path, rows).events
    assert events["order_id"].to_list() == ["1"]
    assert events["at"].to_list() == [NOW]


def test_a_price_is_multiplied_exactly(tmp_path):
    priced = MAPPING.replace('amount = "paid"', 'unit_price = "paid"')
    rows = """
        who | basket | when       | what | units | paid
        ann | 1      | 2024-05-01 | mug  | 3     | 0.1
        ann | 1      | 2024-05-01 | pen  | 7     | 1.005
    """
    amounts = ingested(tmp_path, rows, priced).events["amount"].to_list()
    assert amounts == [Decimal("0.3000"), Decimal("7.0350")]


def test_the_first_rule_that_applies_decides(tmp_path):
    reversed_rules = MAPPING.replace("missing = true", "missing = false")
    assert ingested(tmp_path, ROWS, reversed_rules).accounts[0].rejected["a guest"] == 8


def test_what_the_file_says_of_customers_is_kept_at_each_change(tmp_path):
    living = (
        MAPPING
        + """
        [customers]
        timezone = { column = "land", values = { DE = "Europe/Berlin", JP = "Asia/Tokyo" } }
        country = "land"
    """
    )
    rows = """
        who | basket | when       | what | units | paid | land
        ann | 1      | 2024-05-01 | mug  | 1     | 1    | DE
        ann | 2      | 2024-05-02 | mug  | 1     | 1    | DE
        ann | 3      | 2024-05-03 | mug  | 1     | 1    | JP
        bob | 4      | 2024-05-04 | mug  | 1     | 1    | XX
    """
    customers = ingested(tmp_path, rows, living).customers
    assert customers.select("customer_id", "timezone", "country").rows() == [
        ("ann", "Europe/Berlin", "DE"),
        ("ann", "Asia/Tokyo", "JP"),
        ("bob", None, "XX"),
    ]


SHELF = """
    who | basket | when       | what | units | paid
    ann | 1      | 2024-01-01 | mug  | 1     | 2.00
    ann | 2      | 2024-05-02 | pen  | 1     | 1.00
    ann | 3      | 2024-05-03 | mug  | -1    | -2.00
"""


@pytest.mark.parametrize(
    ("availability", "expected"),
    [
        ('how = "all"', {"mug": True, "pen": True}),
        ('how = "sold_lately"\ndays = 30', {"mug": False, "pen": True}),
        (
            'how = "column"\nvalue = { column = "what", values = { mug = "false", pen = "true" } }',
            {"mug": False, "pen": True},
        ),
    ],
)
def test_how_a_product_comes_to_be_available(tmp_path, availability, expected):
    products = ingested(tmp_path, SHELF, MAPPING.replace('how = "all"', availability)).products
    assert dict(products.select("product_id", "available").rows()) == expected


def test_assumed_consent_is_one_event_per_customer_that_shows_its_source(tmp_path):
    decree = 'how = "assumed"\nreason = "granted"\nsource = "demo-assumption"'
    events = ingested(tmp_path, SHELF, MAPPING.replace('how = "unknown"', decree)).events

    consent = events.filter(pl.col("kind") == "consent")
    assert consent.select("customer_id", "reason", "source").rows() == [
        ("ann", "granted", "demo-assumption")
    ]
    assert consent["known_at"].item() == events["known_at"].min()


def test_consent_by_a_column_is_an_event_at_each_change(tmp_path):
    chosen = 'how = "column"\nvalue = { column = "news", values = { Y = "granted", N = "denied" } }'
    rows = """
        who | basket | when       | what | units | paid | news
        ann | 1      | 2024-05-01 | mug  | 1     | 1    | Y
        ann | 2      | 2024-05-02 | mug  | 1     | 1    | Y
        ann | 3      | 2024-05-03 | mug  | 1     | 1    | N
        bob | 4      | 2024-05-04 | mug  | 1     | 1    |
    """
    events = ingested(tmp_path, rows, MAPPING.replace('how = "unknown"', chosen)).events
    consent = events.filter(pl.col("kind") == "consent").sort("at")
    assert consent.select("customer_id", "reason").rows() == [("ann", "granted"), ("ann", "denied")]


def test_nobody_consents_where_the_file_does_not_say(tmp_path):
    assert "consent" not in ingested(tmp_path, ROWS).events["kind"].cast(pl.String).to_list()


def test_the_same_rows_as_parquet_are_the_same_events_but_for_their_ids(tmp_path):
    rows = pl.DataFrame(
        {
            "who": [17850.0],  # an id that met pandas
            "basket": [1],
            "when": [datetime(2024, 5, 1, 9)],
            "what": ["mug"],
            "units": [2],
            "paid": [12.5],
        }
    )
    rows.write_parquet(tmp_path / "rows.parquet")
    mapping = load_mapping(written(tmp_path, "map.toml", MAPPING))

    event = read_table(tmp_path / "rows.parquet", mapping, now=NOW).events.row(0, named=True)
    assert event["customer_id"] == "17850"
    assert event["at"] == datetime(2024, 5, 1, 7, tzinfo=UTC)
    assert event["amount"] == Decimal("12.5000")


def test_what_comes_out_keeps_the_contract(tmp_path):
    EVENTS.check(ingested(tmp_path, ROWS).events)


def test_a_column_that_the_file_does_not_have_is_named_with_its_likely_spelling(tmp_path):
    with pytest.raises(DataError) as told:
        ingested(tmp_path, ROWS, MAPPING.replace('at = "when"', 'at = "When"'))
    assert "no column 'When'; did you mean 'when'?" in str(told.value)
    assert "who, basket, when, what, units, paid" in str(told.value)


@pytest.mark.parametrize(
    "paid", ["1e300", "99999999999999999", "-1e14", "99999999999999.99999", "1e14"]
)
@pytest.mark.parametrize("field", ["amount", "unit_price"])
def test_money_beyond_what_an_event_holds_sets_aside_its_row_only(tmp_path, paid, field):
    rows = f"""
        who | basket | when       | what | units | paid
        ann | 1      | 2024-05-01 | mug  | 1     | {paid}
        ann | 2      | 2024-05-01 | mug  | 1     | 500000000000
    """
    done = ingested(tmp_path, rows, MAPPING.replace('amount = "paid"', f'{field} = "paid"'))
    reason = "paid makes an amount of 100,000,000,000,000 or more"
    assert done.accounts[0].rejected == {reason: 1}
    assert done.accounts[0].samples == {reason: f"'{paid}' in row 1"}
    assert done.events["order_id"].to_list() == ["2"]
    assert done.events["amount"].to_list() == [Decimal("500000000000.0000")]


def test_a_price_times_a_quantity_that_is_too_much_sets_aside_its_row_only(tmp_path):
    priced = MAPPING.replace('amount = "paid"', 'unit_price = "paid"')
    rows = """
        who | basket | when       | what | units | paid
        ann | 1      | 2024-05-01 | mug  | 1e10  | 1e10
        ann | 2      | 2024-05-01 | mug  | 1e200 | 1e200
        ann | 3      | 2024-05-01 | mug  | 2     | 1.50
    """
    done = ingested(tmp_path, rows, priced)
    assert done.accounts[0].rejected == {"paid makes an amount of 100,000,000,000,000 or more": 2}
    assert done.events["amount"].to_list() == [Decimal("3.0000")]


def test_a_price_of_a_product_beyond_all_money_is_no_price(tmp_path):
    dear = MAPPING.replace('title = "what"', 'title = "what"\nprice = "list"')
    rows = """
        who | basket | when       | what | units | paid | list
        ann | 1      | 2024-05-01 | mug  | 1     | 1.50 | 1e17
    """
    done = ingested(tmp_path, rows, dear)
    assert done.events.height == 1
    assert done.products["price"].to_list() == [None]


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("0001-01-01", "when is before 1970"),
        ("1969-12-31 23:00", "when is before 1970"),
        ("2201-01-02", "when is after 2200"),
        ("9999-12-31", "when is after 2200"),
    ],
)
def test_a_time_that_no_shop_had_sets_aside_its_row(tmp_path, when, reason):
    rows = f"""
        who | basket | when             | what | units | paid
        ann | 1      | {when}           | mug  | 2     | 12.5
        ann | 2      | 1970-01-01 01:00 | mug  | 2     | 12.5
    """
    done = ingested(tmp_path, rows)
    assert done.accounts[0].rejected == {reason: 1}
    assert done.accounts[0].samples == {reason: f"'{when}' in row 1"}
    assert done.events["at"].to_list() == [datetime(1970, 1, 1, tzinfo=UTC)]


def test_a_time_of_knowing_that_no_shop_had_sets_aside_its_row(tmp_path):
    told = MAPPING.replace('known_at = "at"', 'known_at = "column"\nknown_at_column = "told"')
    rows = """
        who | basket | when       | what | units | paid | told
        ann | 1      | 2024-05-01 | mug  | 2     | 12.5 | 0001-01-01
    """
    assert ingested(tmp_path, rows, told).accounts[0].rejected == {"told is before 1970": 1}
