"""The scores of the last night: what is told of customers while the store does not answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features.errors import NotReadyError
from serving.score_table import SCORES


@dataclass(frozen=True)
class NightScores:
    """The table `scores` of the lake, which `onje rescore` writes every night.

    It says nothing of consent, so no mail can be decided from it; and nothing of what was told
    since, which is why each row says as of when it holds.
    """

    lake: Path

    def of(self, customer_ids: Sequence[str]) -> pl.DataFrame:
        """SCORES of those customers that the night knew; without rows where there was no night."""
        # Loaded only when needed: with a store that answers, nothing here is.
        from features.lake import Lake

        try:
            found = Lake(self.lake).scan("scores", customers=customer_ids)
            # Of a night of an older release some columns are not there: those rows are no scores.
            return found.select(pl.col(name).cast(kind) for name, kind in SCORES.items()).collect()
        except (NotReadyError, pl.exceptions.ColumnNotFoundError):
            return pl.DataFrame(schema=SCORES)
