"""The answer to a question that the data cannot answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NotEvaluable:
    """No number would be honest here: `reason` says why, and what is needed, in a sentence."""

    reason: str

    def __str__(self) -> str:
        return f"not evaluable: {self.reason}"
