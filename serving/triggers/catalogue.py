"""All triggers, family by family."""

from __future__ import annotations

from collections.abc import Mapping

from serving.triggers import (
    after_order,
    beginning,
    cart,
    duty,
    habits,
    high_value,
    leaving,
    looking,
    novelty,
    occasions,
    visits,
    workflow,
)
from serving.triggers.trigger import Trigger

TRIGGERS: Mapping[str, Trigger] = {
    trigger.name: trigger
    for family in (
        cart.TRIGGERS,
        beginning.TRIGGERS,
        looking.TRIGGERS,
        visits.TRIGGERS,
        novelty.TRIGGERS,
        after_order.TRIGGERS,
        habits.TRIGGERS,
        occasions.TRIGGERS,
        high_value.TRIGGERS,
        leaving.TRIGGERS,
        duty.TRIGGERS,
        workflow.TRIGGERS,
    )
    for trigger in family
}
