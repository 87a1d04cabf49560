"""What is known of the customers asked for, gathered by whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from serving.conditions import Conditions


@dataclass(frozen=True)
class Knowledge:
    """What is known of the customers asked for, and of the shelf.

    `history` as features.contracts.History, `customers` and `products` as their contracts,
    `mail` with the columns of serving.tables.MAIL, `conditions` those in force,
    `lake_versions` those of the tables that it comes from. More customers than asked for do no
    harm.
    """

    history: pl.DataFrame
    customers: pl.DataFrame
    products: pl.DataFrame
    mail: pl.DataFrame
    conditions: Conditions
    lake_versions: Mapping[str, int]
