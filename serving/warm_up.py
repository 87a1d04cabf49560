"""Questions that the service asks itself before it says it is ready."""

from __future__ import annotations

import gc
import logging

from serving.deciding import decide_together
from serving.live import Live
from serving.schemas.decisions import DecisionRequest
from serving.store import StoreUnavailable

log = logging.getLogger("onje")

NOBODY = "onje-warm-up"


def warm_up(live: Live) -> None:
    """Decide for some real customers and for nobody, as dry runs.

    The first query of each kind costs a hundred times the next one. Whatever is in memory
    afterwards stays there, so the garbage collector need not look at it again: its full passes
    would stop every request for tens of milliseconds.
    """
    try:
        known = live.store.some_customers(live.settings.current.serving.service.warm_up_customers)
    except StoreUnavailable as problem:
        log.error("%s", problem)
        known = []
    for customer_id in (*known, NOBODY):
        question = DecisionRequest(request_id=NOBODY, customer_id=customer_id, dry_run=True)
        decide_together([question], live, now=live.now(), is_in_time=lambda: True)
    gc.collect()
    gc.freeze()
