"""What makes an e-mail apply to a customer: a condition over what is known, and the reason."""

from serving.triggers.catalogue import TRIGGERS
from serving.triggers.trigger import Parameters, Picks, Trigger

__all__ = ["TRIGGERS", "Parameters", "Picks", "Trigger"]
