"""What has to be known of one customer now to say whether a decision of before still holds.

Deciding computes all that is known of somebody. Here no more is read than the guardrails read, and
what triggers and workflows read only where one of them has to be asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import polars as pl

from features.build import features_of
from features.contacts import contacts_of
from features.localtime import timezones_of
from features.past import past_of
from features.people import as_known
from features.permissions import permissions_as_of
from features.prices import prices_seen_of
from serving.effective import Effective
from serving.law import with_law
from serving.promises import mails_of, promised_beside
from serving.segment_settings import with_own_segments
from serving.shelf_facts import with_shelf_facts
from serving.store import Decided, View
from serving.tables import KEY, REQUESTS, UTC
from serving.tone import preferred_tones
from serving.workflow_steps import NO_SUNSET, steps_of, sunset_emails

# What models said when it was decided; nobody waits for them here.
SCORED = {
    "churn": pl.Float64(), "email_dormancy": pl.Float64(),
    "dormant_on": UTC, "dormant_within_30d": pl.Float64(),
}  # fmt: skip


class KnownNow:
    """The customer of one decision of a mail, at `now`; each part is found when it is asked for."""

    def __init__(self, decided: Decided, view: View, settings: Effective) -> None:
        self.decided, self.knowledge, self.settings = decided, view.knowledge, settings
        self.now: datetime = view.present[decided.customer_id]
        self.spine = pl.DataFrame(
            [[decided.customer_id], [self.now]],
            schema=dict(zip(KEY, (pl.String, UTC), strict=True)),
        )

    @cached_property
    def permissions(self) -> pl.DataFrame:
        """One row: KEY and whether they may be mailed."""
        return permissions_as_of(self.knowledge.history, self.spine)

    @cached_property
    def request(self) -> pl.DataFrame:
        """One row of REQUESTS: may this very e-mail go?"""
        row = {
            "row": 0, "request_id": self.decided.receipt["asked"]["request_id"],
            "decision_id": self.decided.decision_id, "customer_id": self.decided.customer_id,
            "as_of": self.now, "emails": [self.decided.email], "earliest": None, "deadline": None,
        }  # fmt: skip
        return pl.DataFrame([row], schema=REQUESTS)

    @cached_property
    def person(self) -> pl.DataFrame:
        """One row that guardrails of the instant and of the sunset read."""
        zone = self.settings.features.default_timezone
        known = self.knowledge.customers
        found = self.permissions.hstack(
            [
                timezones_of(known, self.spine, zone).get_column("timezone"),
                as_known(known, self.spine).get_column("country"),
            ]
        ).with_row_index("person")
        if not self._may_be_sunset():
            return found.with_columns(NO_SUNSET)
        return found.hstack(self.everything.select(expr.meta.output_name() for expr in NO_SUNSET))

    @cached_property
    def mails(self) -> pl.DataFrame:
        """What they were sent or is promised to them beside: person, as_of, email, at."""
        return mails_of(self.request, self.knowledge, self.person.select("person", *KEY))

    @cached_property
    def everything(self) -> pl.DataFrame:
        """One row with all that triggers and workflows read."""
        knowledge, features = self.knowledge, self.settings.features
        past = past_of(
            knowledge.history,
            self.spine,
            knowledge.customers,
            default_timezone=features.default_timezone,
            limit=features.newest_events,
        )
        told = features_of(past, settings=features).hstack(self._of_person())
        told = told.with_columns(_as_scored(self.decided.receipt), known_customer=pl.lit(True))
        on_shelf = with_shelf_facts(
            told,
            prices_seen_of(past),
            knowledge.products,
            category_depth=features.category_depth,
            currency=features.base_currency,
        )
        serving, contacts = self.settings.serving, contacts_of(past)
        tones = preferred_tones(contacts, serving)
        people = with_own_segments(on_shelf.join(tones, on=KEY, how="left"), serving.segments)
        promised = promised_beside(self.request, knowledge.mail).join(self.spine, on="customer_id")
        steps = steps_of(people, contacts, promised, serving)
        return with_law(people.hstack(steps.drop(KEY)), serving.law)

    def _of_person(self) -> list[pl.Series]:
        """Permissions, country and region, as triggers and own segments may ask for them."""
        lives = as_known(self.knowledge.customers, self.spine).select("country", "region")
        return [*self.permissions.drop(KEY).get_columns(), *lives.get_columns()]

    def _may_be_sunset(self) -> bool:
        """Whether the last step of a workflow was ever sent to them, or clicked."""
        last = sunset_emails(self.settings.serving)
        if not last:
            return False
        emails = self.knowledge.history.get_column("email")
        return bool(emails.is_in(last).any())


def _as_scored(receipt: Mapping[str, Any]) -> list[pl.Expr]:
    """What the models said then, as columns; null where they said nothing."""
    then: Mapping[str, Any] = receipt["features"]
    said = {name: then.get(name) for name in SCORED}
    return [
        pl.lit(datetime.fromisoformat(value) if dtype == UTC and value else value, dtype).alias(
            name
        )
        for (name, value), dtype in zip(said.items(), SCORED.values(), strict=True)
    ]
