"""What CUSTOMERS said of a customer at a moment."""

from __future__ import annotations

import polars as pl

from features.tables import CUSTOMERS

_COLUMNS = CUSTOMERS.columns
_ORDER = ["known_at", *(name for name in _COLUMNS if name != "known_at")]


def as_known(customers: pl.DataFrame, spine: pl.DataFrame) -> pl.DataFrame:
    """The spine, in its order, with the columns of the newest row known at `as_of`.

    A newer row replaces an older one whole, also where it says less. Null for a stranger.
    """
    said = customers.select(_COLUMNS)
    if said.get_column("customer_id").is_duplicated().any():
        # By everything, so that two rows known at the same moment never depend on their order.
        said = said.sort(_ORDER)
    return (
        spine.with_row_index("place")
        .sort("as_of")
        .join_asof(
            said,
            left_on="as_of",
            right_on="known_at",
            by="customer_id",
            strategy="backward",
            check_sortedness=False,
            coalesce=False,
        )
        .sort("place")
        .drop("place")
    )
