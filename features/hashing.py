"""One stable hash for buckets, holdout, arms and jitter: the same on every machine, for ever."""

from __future__ import annotations

from hashlib import blake2b

import polars as pl

BUCKETS = 64


def stable_hash(text: str, salt: str) -> int:
    """First 8 bytes of BLAKE2b over `salt`, a zero byte and `text`, as an unsigned integer.

    Polars' own `hash` may change between versions, so nothing that must last uses it.
    """
    digest = blake2b(f"{salt}\0{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def stable_share(text: str, salt: str) -> float:
    """The same hash as a number in [0, 1)."""
    return stable_hash(text, salt) / 2**64


def bucket_of(customer_id: str) -> int:
    """The hash bucket, 0 to 63, in which all rows of a customer rest."""
    return stable_hash(customer_id, "bucket") % BUCKETS


def with_bucket(frame: pl.DataFrame) -> pl.DataFrame:
    """Add `bucket` (Int16) by hashing each distinct customer once."""
    customers = frame.get_column("customer_id").unique(maintain_order=True)
    buckets = pl.DataFrame(
        {"customer_id": customers, "bucket": [bucket_of(c) for c in customers]},
        schema={"customer_id": pl.String, "bucket": pl.Int16},
    )
    return frame.join(buckets, on="customer_id", how="left", maintain_order="left")
