"""What holds for all customers alike at a moment and is no setting: prices, complaints, arms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Self

from serving.budget_settings import BudgetSettings


@dataclass(frozen=True)
class Conditions:
    """Found by the night (or as mail is answered), kept in the store, told in every receipt.

    Prices are money: of one more e-mail, of one more coupon, of one more expected unsubscribe, as
    far as budgets bind. `complaints_7d` of `delivered_7d` e-mails of the last seven days were
    reported as spam. `launched_at` is when the first decision was made live, null before.
    `shares` are those of the arms of experiments that learn, by experiment and arm. `used` is what
    was promised live of each budget, by its day or week (serving.budgets); a night knows none.
    """

    mail_price: float
    coupon_price: float
    unsubscribe_price: float
    complaints_7d: int
    delivered_7d: int
    launched_at: datetime | None
    shares: Mapping[str, Mapping[str, float]]
    used: Mapping[str, float]

    def under(self, budget: BudgetSettings) -> Self:
        """These conditions with the prices of those budgets alone that there are now.

        A budget that was taken away costs nothing from then on, not from the next night on.
        """
        return replace(
            self,
            mail_price=self.mail_price if budget.mails_per_day else 0.0,
            coupon_price=self.coupon_price if budget.coupons_per_week else 0.0,
            unsubscribe_price=self.unsubscribe_price if budget.unsubscribes_per_week else 0.0,
        )

    def to_json(self) -> str:
        """One line of JSON, the same for the same conditions."""
        launched = self.launched_at and self.launched_at.isoformat()
        return json.dumps(asdict(self) | {"launched_at": launched}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        told = json.loads(text)
        launched = told["launched_at"] and datetime.fromisoformat(told["launched_at"])
        # An earlier release counted no uses.
        return cls(**({"used": {}} | told | {"launched_at": launched}))


NO_CONDITIONS = Conditions(
    mail_price=0.0,
    coupon_price=0.0,
    unsubscribe_price=0.0,
    complaints_7d=0,
    delivered_7d=0,
    launched_at=None,
    shares={},
    used={},
)
