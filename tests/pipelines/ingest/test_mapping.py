from __future__ import annotations

import pytest

from features.errors import DataError
from pipelines.ingest.mapping_file import load_mapping
from tests.pipelines.ingest.files import MAPPING, written


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (
            'order_id = "basket"',
            'orderid = "basket"',
            "event.orderid: no such key; did you mean 'order_id'?",
        ),
        (
            "[products.availability]",
            "[products.availabilty]",
            "did you mean 'availability'?",
        ),
        (
            'constant = "order"',
            'constant = "ordr"',
            "no such kind of event: 'ordr'; did you mean 'order'?",
        ),
        (
            'constant = "web"',
            'constant = "wep"',
            "no such channel: 'wep'; did you mean 'web'?",
        ),
        (
            '"Europe/Berlin"',
            '"Europe/Berln"',
            "time.timezone: no such time zone: 'Europe/Berln'; did you mean 'Europe/Berlin'?",
        ),
        (
            'then = "refund"',
            'then = "refunded"',
            "rules.#2: no such outcome of a rule: 'refunded'; did you mean 'refund'?",
        ),
        (
            'exact = "drop"',
            'exact = "dorp"',
            "duplicates.exact: Input should be 'drop' or 'keep', found 'dorp'",
        ),
        (
            '[consent]\nhow = "unknown"',
            "",
            "consent: missing",
        ),
        (
            '[products.availability]\nhow = "all"',
            "",
            "products.availability: missing",
        ),
        (
            'timezone = "Europe/Berlin"',
            "",
            "time.timezone: missing",
        ),
        (
            'how = "unknown"',
            'how = "assumed"',
            'how = "assumed" needs `reason` and `source`',
        ),
        (
            'how = "all"',
            'how = "sold_lately"',
            'how = "sold_lately" needs `days`',
        ),
        (
            'currency = { constant = "EUR" }',
            "",
            "money needs a currency",
        ),
        (
            'currency = { constant = "EUR" }',
            'currency = { constant = "Euro" }',
            "event: no such currency: 'Euro'; three capital letters name one, e.g. EUR",
        ),
        (
            'currency = { constant = "EUR" }',
            'currency = { column = "land", values = { DE = "eur" } }',
            "no such currency: 'eur'",
        ),
        (
            'known_at = "at"',
            'known_at = "at"\nformat = "DD.MM.YYYY"',
            "time: `format` reads no time: 'DD.MM.YYYY'; say it with %",
        ),
        (
            "missing = true",
            'missing = true, matches = "x"',
            "say exactly one of",
        ),
        (
            "missing = true",
            'matches = "("',
            "`matches` is not a regular expression",
        ),
        (
            'source = "shop"',
            "source = shop",
            "is not TOML",
        ),
        ('[consent]\nhow = "unknown"', "", 'how consent comes about, e.g. how = "unknown"'),
        ('kind = { constant = "order" }', "kind = 3", 'event.kind: give a column ("Country")'),
        ('when = [{ column = "who", missing = true }]', 'when = "who"', "a list is wanted"),
        ('reason = "a guest"', "", "rules.#1.reason: missing; what the report says"),
    ],
)
def test_a_fault_is_named_by_its_place_with_what_to_type(tmp_path, right, wrong, told):
    assert right in MAPPING
    with pytest.raises(DataError) as error:
        load_mapping(written(tmp_path, "map.toml", MAPPING.replace(right, wrong)))
    assert told in str(error.value)
    assert "map.toml" in str(error.value)


def test_all_faults_are_told_at_once(tmp_path):
    twice = MAPPING.replace("order_id", "orderid").replace('"drop"', '"dorp"')
    with pytest.raises(DataError) as error:
        load_mapping(written(tmp_path, "map.toml", twice))
    assert "event.orderid" in str(error.value)
    assert "duplicates.exact" in str(error.value)


def test_a_mapping_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="cannot read the mapping file"):
        load_mapping(tmp_path / "map.toml")
