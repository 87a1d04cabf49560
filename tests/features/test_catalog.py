"""The catalogue as a whole: names, types, the printed page, and how little a new feature takes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import polars as pl

from features import build, docs
from features.catalog import CATALOG, MODEL_INPUTS, TEXTS
from tests.features.text import SETTINGS, customers, history, spine

HISTORY = history("ann | 2024-05-01 | order | order=1 | amount=5 | channel=store")
PROMISED = """
    sends_7d sends_30d sends_90d delivered_60d opens_30d clicks_30d clicks_90d open_rate_90d
    click_rate_90d days_since_send days_since_open days_since_click unclicked_streak sessions_7d
    sessions_30d views_7d views_30d dwell_s_30d days_since_session preferred_email preferred_link
    email_dormant orders orders_30d orders_90d orders_365d spend_30d spend_90d spend_365d
    basket_value last_basket_value lines_per_order days_since_order order_gap_days_mean
    order_gap_days_std silence_ratio orders_slope discount_share_365d coupon_orders_365d redeems_90d
    refunds_365d refund_share_365d payment_method distinct_products_365d repeat_share_365d
    repeat_views_7d unbought_views_7d searches_7d cart_items cart_waiting_hours cart_value
    carts_left_30d checkout_waiting_hours cart_stage acts_180d share_night share_morning
    share_afternoon share_evening share_weekend favourite_hour hour_spread distinct_categories_365d
    favourite_category favourite_category_share last_category days_since_favourite
    viewed_category_30d category_entropy known_days days_since_signup days_to_birthday reviews_365d
    days_since_review unreviewed_order_days age_years household_size children income_thousands
"""


def test_names_are_one_of_a_kind_and_none_is_missing() -> None:
    names = [feature.name for feature in CATALOG]
    assert len(set(names)) == len(names)
    assert set(PROMISED.split()) <= set(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


def test_every_feature_is_a_number_or_a_listed_text() -> None:
    told = build.features_as_of(
        HISTORY, spine(("ann", "2024-05-02")), customers(), settings=SETTINGS
    )
    types = {name: told.schema[name] for name in (feature.name for feature in CATALOG)}
    assert {name for name, dtype in types.items() if dtype == pl.String} == TEXTS
    assert {dtype for name, dtype in types.items() if name not in TEXTS} == {pl.Float64()}
    assert not {*TEXTS, "favourite_hour"} & set(MODEL_INPUTS)


def test_the_page_is_what_the_catalogue_says() -> None:
    assert docs.PAGE.read_text("utf-8") == docs.page(), "type `python -m features.docs`"


def test_a_feature_takes_the_six_lines_that_the_page_shows(tmp_path: Path) -> None:
    """The example of the page, pasted into a copy of `purchases.py`, is a feature."""
    example = re.search(r"```python\n(.*?)```", docs.page(), re.DOTALL)
    assert example is not None
    assert len(example[1].strip().splitlines()) == 6
    package = Path(build.__file__).parent
    copy = tmp_path / "features"
    copy.mkdir()
    for module in package.glob("*.py"):
        (copy / module.name).write_text(module.read_text("utf-8"), "utf-8")
    purchases = copy / "purchases.py"
    text = purchases.read_text("utf-8")
    purchases.write_text(text.replace("FEATURES = (\n", "FEATURES = (\n" + example[1]), "utf-8")
    asked = (
        "from features.build import features_as_of\n"
        "from tests.features.text import *\n"
        f"told = history({'ann | 2024-05-01 | order | order=1 | amount=5 | channel=store'!r})\n"
        "rows = spine(('ann', '2024-05-02'), ('bob', '2024-05-02'))\n"
        "now = features_as_of(told, rows, customers(), settings=SETTINGS)\n"
        "print(now['shop_orders_365d'].to_list())"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{package.parent}"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[1.0, 0.0]", done.stderr
