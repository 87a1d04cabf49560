from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from features.lake import Lake
from features.permissions import permissions_as_of
from features.tables import CUSTOMERS
from pipelines.console import silently
from pipelines.doctor import examine
from pipelines.ingest.doubts import no_countries, without_country
from pipelines.ingest.into_lake import ingest_table
from pipelines.installation import opened
from tests.pipelines.ingest.files import MAPPING, NOW, drawn, written
from tests.training.drawn import spine

ROWS = """
    who | what    | when             | basket | said    | zone          | units | paid | kind
    ann | mug     | 2024-05-01 09:00 | 1      |         | Mars/Olympus  | 1     | 2.50 | order
    ann |         | 2024-05-01 10:00 |        | granted | Mars/Olympus  |       |      | consent
    bob |         | 2024-05-01 10:00 |        | granted | Mars/Olympus  |       |      | consent
    cat |         | 2024-05-01 10:00 |        | denied  | Europe/Berlin |       |      | consent
    dan |         | 2024-05-01 10:00 |        | granted | CETT          |       |      | consent
    eve | mug     | 2024-05-01 09:00 | 2      |         |               | 1     | 2.50 | order
"""
SAYS = (
    MAPPING.replace('how = "unknown"', 'how = "rows"').replace(
        'kind = { constant = "order" }', 'kind = "kind"\nreason = "said"'
    )
    + '\n[customers]\ntimezone = "zone"\n'
)
BY_KIND = '{ column = "kind", values = { consent = "email" }, otherwise = "web" }'


def brought_in(folder, mapping):
    lake = Lake(folder / "lake")
    file = written(folder, "rows.csv", drawn(ROWS))
    report = ingest_table(lake, file, written(folder, "map.toml", mapping), NOW, silently)
    return lake, report


def of(report, what):
    return [sentence for sentence in report.warnings if what in sentence]


def test_consent_of_another_channel_is_told_since_it_allows_no_mail(tmp_path):
    lake, report = brought_in(tmp_path, SAYS)
    (told,) = of(report, "consent rows")
    assert told.startswith("3 consent rows not about e-mail (channel 'web' (3)): nobody may be")
    assert BY_KIND in told
    asked = permissions_as_of(lake.read("events"), spine(("ann", "2024-06-01")))
    assert asked["email_consent"].item() != "granted"


def test_what_is_advised_is_what_helps(tmp_path):
    lake, report = brought_in(tmp_path, SAYS.replace('{ constant = "web" }', BY_KIND))
    assert not of(report, "consent rows")
    asked = permissions_as_of(lake.read("events"), spine(("ann", "2024-06-01")))
    assert asked["email_consent"].item() == "granted"


@pytest.mark.parametrize("where", ["report", "doctor"])
def test_zones_that_are_none_are_told_with_how_many_have_them(tmp_path, where, monkeypatch):
    monkeypatch.setenv("ONJE_HOME", str(tmp_path))
    _, report = brought_in(tmp_path, SAYS)
    if where == "report":
        (told,) = of(report, "zone")
    else:
        (found,) = [one for one in examine() if one.what == "zones"]
        told = found.found
        assert not found.fine
    assert told.startswith("3 customers with a zone that is none: 'Mars/Olympus' (2), 'CETT' (1)")
    assert "default_timezone" in told


def test_countries_that_are_none_are_told_and_who_has_none_is_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("ONJE_HOME", str(tmp_path))
    people = CUSTOMERS.shape(
        pl.DataFrame(
            {
                "customer_id": ["ann", "bob", "eve", "joe", "kim"],
                "known_at": [datetime(2024, 1, 1, tzinfo=UTC)] * 5,
                "country": ["KR", "KO", None, "Korea", "BR"],
            }
        )
    )
    nobody = people.clear()
    assert no_countries(people.filter(pl.col("country").is_in(["KR", "BR"]))) is None
    assert no_countries(nobody) is None and without_country(nobody) == 0
    with opened() as onje:
        onje.lake.append("customers", people)
    (found,) = [one for one in examine() if one.what == "countries"]
    assert not found.fine
    assert "2 customers with a country that is none: 'KO' (1), 'Korea' (1);" in found.found
    assert "US (default_country under [law]) holds for 1 customers" in found.found
