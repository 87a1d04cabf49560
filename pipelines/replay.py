"""Decide again what was decided, from what was known then, and say what differs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from features.errors import DataError, NotReadyError, OnjeError
from features.lake import Lake
from features.tables import CUSTOMERS, EVENTS, PRODUCTS
from pipelines.budget import CUT, with_waits
from pipelines.console import Step
from pipelines.prices import COUNTED
from pipelines.then import history_then, promised_then, settings_then
from serving.answer import answer
from serving.conditions import Conditions
from serving.effective import Effective, ReadSettings
from serving.knowledge import Knowledge
from serving.models import NO_MODELS
from serving.older import missing_in
from serving.receipts import DECIDED, receipt_of, rows_of
from serving.schemas.decisions import DecisionRequest
from serving.scores import FIELDS, REFUSED, Models
from serving.store import Decided, Store
from serving.store.published import newest_persons
from serving.tables import REQUESTS
from serving.valuation import OWN
from training.model import folder
from training.model.model import Model

# Which code decided is told, and no difference by itself.
OF_CODE = ("versions.code", "versions.features")

# Brings a version of a model from the registry; NotReadyError where it has none.
Fetch = Callable[[str, str], Path]


@dataclass(frozen=True)
class Difference:
    """One figure that is another now; `where` is its path in the receipt."""

    where: str
    then: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.where}: {_said(self.then)} then, {_said(self.now)} now"


@dataclass(frozen=True)
class Replayed:
    """What became of a decision that was made again.

    `equal`: every figure of the receipt is the same. `same_decision`: at least what was decided
    is. `notes` say what could not be had as it was then, or has changed since without a part in it.
    """

    decision_id: str
    equal: bool
    same_decision: bool
    compared: int
    differences: list[Difference]
    notes: list[str]


def replay(
    decision_id: str,
    *,
    store: Store,
    lake: Lake,
    home: Path,
    fetch: Fetch,
    today: Effective,
    lay: ReadSettings,
    step: Step,
) -> Replayed:
    """Decide again and compare with the receipt, figure by figure.

    `today` are the settings in force, `lay` lays patches over the file. Raises NotReadyError where
    the decision is unknown, or was made by a release whose receipts cannot be replayed.
    """
    decided = _decided(store, decision_id)
    receipt = decided.receipt
    notes: list[str] = []
    step("what was known then", 0, 3)
    settings = settings_then(receipt, store, today=today, lay=lay, notes=notes)
    knowledge = _knowledge(decided, store, lake, settings, notes)
    step("what was known then", 1, 3)
    models = _models(receipt, home, fetch, notes)
    step("what was known then", 2, 3)
    asked = DecisionRequest.model_validate(receipt["asked"])
    decisions = answer(
        _request(decided, asked),
        knowledge,
        models,
        settings=settings.serving,
        feature_settings=settings.features,
        valuation=OWN,
    )
    [row] = rows_of(_cut_again(decisions, receipt, settings, notes))
    again = json.loads(receipt_of(row, asked, settings, online=receipt["online_events"]))
    step("what was known then", 3, 3)
    return _compared(receipt, again, notes)


def said(done: Replayed) -> str:
    """In words: whether it is equal, what differs, and what else there is to know."""
    if done.equal:
        verdict = f"equal: decided again, all {done.compared} figures of the receipt are the same"
    elif done.same_decision:
        verdict = (
            "the same decision, by other figures: "
            f"{len(done.differences)} of {done.compared} differ"
        )
    else:
        verdict = f"another decision: {len(done.differences)} of {done.compared} figures differ"
    lines = [verdict, *(f"  {one}" for one in done.differences)]
    return "\n".join([*lines, *(f"note: {note}" for note in done.notes)])


def _decided(store: Store, decision_id: str) -> Decided:
    decided = store.decision(decision_id)
    if decided is None:
        raise NotReadyError(
            f"no decision {decision_id}; dry runs are not recorded, "
            "and GET /v1/customers/ID lists the newest of a customer"
        )
    missing = missing_in(decided.receipt)
    if missing:
        raise DataError(
            f"the receipt of {decision_id} has no {', '.join(missing)}: it was written by a "
            "release whose receipts cannot be replayed"
        )
    return decided


def _knowledge(
    decided: Decided, store: Store, lake: Lake, settings: Effective, notes: list[str]
) -> Knowledge:
    receipt, customer = decided.receipt, decided.customer_id
    versions: Mapping[str, int] = receipt["lake_versions"]

    def read(table: str, empty: pl.DataFrame, **some: Any) -> pl.DataFrame:
        """The table at the receipt's version; as it is now where that one is gone."""
        if table not in versions:
            return empty
        try:
            return lake.read(table, version=versions[table], **some)
        except NotReadyError as gone:
            notes.append(f"{gone}; what it holds today stands in for it")
            return lake.read(table, **some)

    products = read("products", PRODUCTS.schema.create_empty())
    events = read("events", EVENTS.schema.create_empty(), customers=[customer])
    customers = read("customers", CUSTOMERS.schema.create_empty(), customers=[customer])
    return Knowledge(
        history=history_then(decided, events, products, store, lake, settings, notes),
        # The service reads what was published: who a customer is now, not who they were before.
        customers=customers if decided.plan or customers.is_empty() else newest_persons(customers),
        products=products,
        mail=promised_then(decided),
        conditions=Conditions.from_json(json.dumps(receipt["conditions"])),
        lake_versions=versions,
    )


def _models(receipt: Mapping[str, Any], home: Path, fetch: Fetch, notes: list[str]) -> Models:
    versions: Mapping[str, str | None] = receipt["versions"]["models"]
    missing: Sequence[str] = receipt.get("missing_models", [])
    loaded: dict[str, Model] = {}
    for name, version in versions.items():
        if version is None:
            continue
        if name not in FIELDS:
            notes.append(f"this release knows no model {name}; it is left out")
            continue
        try:
            place = home / "models" / name / version
            loaded[FIELDS[name]] = folder.load(place if place.exists() else fetch(name, version))
        except OnjeError as gone:
            notes.append(f"version {version} of model {name} is gone ({gone}); it is left out")
    refused = (one.removesuffix(REFUSED) for one in missing if one.endswith(REFUSED))
    return replace(NO_MODELS, **loaded, refused=tuple(refused))


def _cut_again(
    decisions: pl.DataFrame, receipt: Mapping[str, Any], settings: Effective, notes: list[str]
) -> pl.DataFrame:
    """Where the night cut a plan, since others used up its budget, that is taken over as it was."""
    told = [reason["text"] for reason in receipt["because"] if reason["code"] == "budget"]
    cut = [(receipt["customer_id"], name) for name in COUNTED if CUT.format(name) in told]
    if not cut:
        return decisions
    notes.append("others used up a budget of that night: this is taken over, not decided again")
    return with_waits(decisions, dict(cut), settings.serving)


def _request(decided: Decided, asked: DecisionRequest) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row": [0],
            "request_id": [decided.receipt["request_id"]],
            "decision_id": [decided.decision_id],
            "customer_id": [decided.customer_id],
            "as_of": [decided.as_of],
            "emails": [asked.emails],
            "earliest": [asked.earliest],
            "deadline": [asked.deadline],
        },
        schema=REQUESTS,
    )


def _compared(then: Mapping[str, Any], now: Mapping[str, Any], notes: list[str]) -> Replayed:
    before, after = dict(_leaves(_by_name(then))), dict(_leaves(_by_name(now)))
    differences = [
        Difference(where, before.get(where), after.get(where))
        for where in dict.fromkeys([*before, *after])
        if _something(before.get(where)) != _something(after.get(where))
    ]
    of_code = [one for one in differences if one.where in OF_CODE]
    if of_code:
        notes.append("the code that decides is another today than it was then")
    differences = [one for one in differences if one.where not in OF_CODE]
    return Replayed(
        decision_id=then["decision_id"],
        equal=not differences,
        same_decision=all(then[name] == now[name] for name in DECIDED),
        compared=len(before.keys() | after.keys()),
        differences=differences,
        notes=notes,
    )


def _by_name(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt with its arms by e-mail: one more e-mail is one difference, not all after it."""
    return {**receipt, "arms": {arm["email"]: arm for arm in receipt["arms"]}}


def _leaves(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure with its path; an empty list or object is a figure."""
    if isinstance(value, Mapping) and value:
        for name, below in value.items():
            yield from _leaves(below, f"{where}.{name}" if where else name)
    elif isinstance(value, list) and value:
        for place, below in enumerate(value):
            yield from _leaves(below, f"{where}[{place}]")
    else:
        yield where, value


def _something(value: Any) -> Any:
    """What an earlier release did not keep, and what there is none of, is nothing alike."""
    return None if value in ([], {}) else value


def _said(value: Any) -> str:
    return "nothing" if value is None or value in ([], {}, "") else str(value)
