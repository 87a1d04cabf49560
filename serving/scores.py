"""What the models say of the customers asked for; without a model, what their own past says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.model.model import Model


@dataclass(frozen=True)
class Models:
    """The champions; None where there is none yet, which makes every decision `degraded`."""

    churn: Model | None
    send_hour: Model | None
    affinity_category: Model | None
    affinity_product: Model | None
