"""Making keys for callers of the service, and what is said where one is missing or in danger."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address

from serving.access.keys import Key, new_key
from serving.access.scopes import Scope
from serving.store.store import Store

DEMO = "demo"
DEMO_LASTS = timedelta(days=30)


def make_key(
    store: Store,
    *,
    name: str,
    scopes: Collection[Scope],
    lasts: timedelta | None,
    now: datetime,
) -> tuple[Key, str]:
    """A key that is kept, and the text to hand out, which nobody can read again."""
    key, text = new_key(name=name, scopes=scopes, lasts=lasts, now=now)
    store.add_key(key)
    return key, text


def revoke(store: Store, key_id: str, *, now: datetime) -> Key:
    """Let a key open nothing more; twice is fine. DataError where no key has this id."""
    return store.change_key(key_id, lambda key: replace(key, revoked_at=key.revoked_at or now))


def rotate(store: Store, key_id: str, *, overlap: timedelta, now: datetime) -> tuple[Key, str]:
    """Give a key a new secret; the one before counts for `overlap` longer.

    DataError where no key has this id, or where it is revoked or expired.
    """
    texts: list[str] = []

    def changed(key: Key) -> Key:
        new, text = key.rotated(overlap=overlap, now=now)
        texts.append(text)
        return new

    return store.change_key(key_id, changed), texts[-1]


def demo_key(store: Store, *, now: datetime) -> str:
    """A key for whoever tries the demo; that of the demo before opens nothing more."""
    for key in store.all_keys():
        if key.name == DEMO and key.revoked_at is None:
            revoke(store, key.key_id, now=now)
    _, text = make_key(store, name=DEMO, scopes=set(Scope), lasts=DEMO_LASTS, now=now)
    return text


def warnings(store: Store, host: str, *, now: datetime) -> list[str]:
    """What whoever starts the service had better know: no key at all, an address open to others."""
    said = []
    if not any(key.state(now) == "active" for key in store.all_keys()):
        said.append(
            "no key opens this service yet; make one, at any time: "
            "onje keys add --name mine --scopes decide,ingest,read"
        )
    if not _is_loopback(host):
        said.append(
            f"{host} can be reached from elsewhere, and the service speaks HTTP without TLS: "
            "let only a proxy with TLS reach it, see docs/operate-security.md"
        )
    return said


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
