"""A shop that mails everybody every week, where what a mail does is planted and known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from features.tables import HISTORY
from training.settings import ResponseSettings

START = datetime(2024, 1, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RESPONSE = ResponseSettings(
    click_days=7,
    order_days=14,
    test_days=28,
    examples=100_000,
    answers_needed=10,
    adjusted_weight=1.0,
    randomised_needed=50_000,
    rounds=40,
    learning_rate=0.1,
    leaves=5,
    rows_in_leaf=50,
    shrinkage=1.0,
    seed=1,
)


@dataclass(frozen=True)
class Shop:
    """Weekly chances. `cart_buys`: of an order by who has an open cart, mail or no mail."""

    customers: int = 300
    weeks: int = 24
    news_clicked: float = 0.15
    cart_clicked: float = 0.4
    click_sells: float = 0.4
    buys: float = 0.04
    carts: float = 0.1
    cart_buys: float = 0.04
    lost_per_mail: float = 0.01

    def history(self, seed: int) -> pl.DataFrame:
        """HISTORY: news to everybody each week, to who has an open cart a reminder instead."""
        rows = [
            {"event_id": str(number), "known_at": row["at"], **row}
            for number, row in enumerate(self._events(np.random.default_rng(seed)))
        ]
        return HISTORY.shape(pl.DataFrame(rows, infer_schema_length=None))

    def _events(self, random: np.random.Generator) -> Iterator[Mapping[str, Any]]:
        for number in range(self.customers):
            keen = 2.0 if number % 2 else 0.2  # half of them click, the others hardly
            for week in range(self.weeks):
                at = START + week * 7 * DAY + int(random.integers(0, 1000)) * timedelta(minutes=1)
                has_cart = random.random() < self.carts
                if has_cart:
                    yield event(number, "cart_add", at - 2 * HOUR, product_id="mug")
                kind = "cart" if has_cart else "news"
                yield event(number, "send", at, email=kind)
                if random.random() < self.lost_per_mail:
                    yield event(number, "unsubscribe", at + HOUR, email=kind)
                    break
                chance = self.cart_clicked if has_cart else self.news_clicked * keen
                if random.random() < chance:
                    yield event(number, "click", at + HOUR, email=kind)
                    if random.random() < self.click_sells:
                        yield event(number, "order", at + 2 * HOUR)
                if random.random() < (self.cart_buys if has_cart else self.buys):
                    yield event(number, "order", at + 3 * DAY)


def event(customer: int, kind: str, at: datetime, **more: str) -> Mapping[str, Any]:
    channel = "email" if kind in ("send", "click", "unsubscribe") else "web"
    order = {"order_id": f"{customer} {at}", "amount": 10} if kind == "order" else {}
    named = {"email": None, "product_id": None, "order_id": None, "amount": None}
    return {**named, "customer_id": f"c{customer}", "kind": kind, "at": at, "channel": channel,
            **order, **more}  # fmt: skip
