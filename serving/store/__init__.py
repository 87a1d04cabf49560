"""The store: what a decision needs now, durable and safe between processes."""

from serving.store.connections import StoreUnavailable
from serving.store.decided import Decided, Kept, OtherBody, Outrun, Record, State
from serving.store.deliveries import Dead, DeadLetter, Delivery, Waiting
from serving.store.inbox import Inbox, Taken
from serving.store.lags import Lags
from serving.store.patches import Patch
from serving.store.store import Store, View

__all__ = [
    "Dead",
    "DeadLetter",
    "Decided",
    "Delivery",
    "Inbox",
    "Kept",
    "Lags",
    "OtherBody",
    "Outrun",
    "Patch",
    "Record",
    "State",
    "Store",
    "StoreUnavailable",
    "Taken",
    "View",
    "Waiting",
]
