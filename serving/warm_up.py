"""Questions that the service asks itself before it says it is ready."""

from __future__ import annotations

import gc
import logging
from collections.abc import Sequence
from dataclasses import replace

from serving.deciding import decide_together
from serving.live import Live
from serving.schemas.decisions import DecisionRequest
from serving.store import StoreUnavailable

log = logging.getLogger("onje")

NOBODY = "onje-warm-up"


def warm_up(live: Live) -> None:
    """Decide for some real customers and for nobody, alone, then for a full pass of them.

    The first query of each kind costs a hundred times the next one. The pass is recorded as real
    questions are, and taken back, so that nothing stays of it. Whatever is in memory afterwards
    stays there, so the garbage collector need not look at it again: its full passes would stop
    every request for tens of milliseconds.
    """
    service = live.settings.current.serving.service
    rehearsal = replace(live, store=live.store.rehearsal())
    known: list[str] = []
    if service.warm_up_customers:
        try:
            known = live.store.some_customers(max(service.warm_up_customers, service.largest_batch))
        except StoreUnavailable as problem:
            log.error("%s", problem)
    alone = [*known[: service.warm_up_customers], NOBODY]
    together = known[: service.largest_batch]
    for customers in (*([one] for one in alone), together, together):
        _ask(customers, rehearsal)
    gc.collect()
    gc.freeze()


def _ask(customers: Sequence[str], live: Live) -> None:
    questions = [
        DecisionRequest(request_id=f"{NOBODY}-{number}", customer_id=customer)
        for number, customer in enumerate(customers)
    ]
    decide_together(questions, live, now=live.now(), is_in_time=lambda: True)
