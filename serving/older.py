"""What receipts of older releases lack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What a receipt needs to be asked or replayed; older releases did not keep all of it.
NEEDED = (
    "asked", "conditions", "features", "lake_versions", "online_events", "products", "promised",
    "settings", "valid_until", "versions",
)  # fmt: skip


def missing_in(receipt: Mapping[str, Any]) -> list[str]:
    """The fields it would need to be asked whether it holds, or to be replayed."""
    return [name for name in NEEDED if name not in receipt]
