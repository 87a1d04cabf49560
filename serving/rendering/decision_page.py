"""A decision as a page for people: what, when, why, and what else there was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serving.rendering.templates import template
from serving.store import Decided
from serving.tables import ARM, DECISIONS

NOTHING = "-"


@dataclass(frozen=True)
class Line:
    """An e-mail of the catalogue as the decision saw it."""

    email: str
    value: str
    send_at: str
    propensity: str
    is_chosen: bool
    applies: bool
    why: str
    forbidden_by: Sequence[str]
    better_at: str
    shut_by: Sequence[Mapping[str, Any]]


def decision_page(decided: Decided) -> str:
    """The page; it holds nothing of the customer that the receipt does not."""
    receipt = _filled(decided.receipt)
    best = receipt["unconstrained_best"]
    arms = [_line(arm, receipt) for arm in _by_value(receipt)]
    return template("decision.html").render(
        decided=decided,
        receipt=receipt,
        title=f"Send {decided.email}" if decided.email else "Wait",
        as_of=_moment(receipt["as_of"]),
        send_at=_moment(receipt["send_at"]),
        local_send_at=_moment(receipt["local_send_at"]),
        valid_until=_moment(receipt["valid_until"]),
        known_until=_moment(receipt["known_until"]),
        value=_money(receipt["value"]),
        best=best and {**best, "send_at": _moment(best["send_at"]), "value": _money(best["value"])},
        is_best=best is None
        or (best["email"], best["send_at"]) == (receipt["email"], receipt["send_at"]),
        propensities=_propensities(receipt),
        lines=[one for one in arms if one.applies or one.is_chosen],
        others=[one for one in arms if not one.applies and not one.is_chosen],
        slots={name: _told(value) for name, value in (receipt["slots"] or {}).items()},
        features={name: _told(value) for name, value in receipt["features"].items()},
        versions={
            **{f"model {name}": _told(v) for name, v in receipt["versions"]["models"].items()},
            **{name: _told(v)[:12] for name, v in receipt["versions"].items()
               if isinstance(v, str)},
            "settings": receipt["settings"][:12],
            **{f"lake {name}": str(v) for name, v in receipt["lake_versions"].items()},
        },
    )  # fmt: skip


def _filled(receipt: Mapping[str, Any]) -> Mapping[str, Any]:
    """The receipt with whatever an earlier release did not keep yet: nothing, in its place."""
    filled = {**dict.fromkeys(DECISIONS), **receipt}
    for name in ("products", "because", "experiments", "arms", "moved_by"):
        filled[name] = filled[name] or []
    no_arm = dict.fromkeys(field.name for field in ARM.fields)
    filled["arms"] = [{**no_arm, "forbidden_by": [], **arm} for arm in filled["arms"]]
    filled["features"] = filled["features"] or {}
    filled["versions"] = {"models": {}, "synthetic": [], **(filled["versions"] or {})}
    filled["settings"] = receipt.get("settings") or NOTHING
    filled["lake_versions"] = receipt.get("lake_versions") or {}
    return filled


def _by_value(receipt: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The arms: the chosen one, then those that apply by value, then the others."""

    def place(arm: Mapping[str, Any]) -> tuple[bool, bool, float]:
        value = arm["value"] if arm["value"] is not None else arm["unconstrained_value"]
        return (
            arm["email"] != receipt["email"],
            not arm["applies"],
            -(value if value is not None else float("-inf")),
        )

    return sorted(receipt["arms"], key=place)


def _line(arm: Mapping[str, Any], receipt: Mapping[str, Any]) -> Line:
    open_value, any_value = arm["value"], arm["unconstrained_value"]
    is_chosen = arm["email"] == receipt["email"]
    return Line(
        email=arm["email"],
        value=_money(any_value if open_value is None else open_value),
        send_at=_moment(arm["send_at"] or arm["unconstrained_at"]),
        propensity=_share(arm["propensity"]),
        is_chosen=is_chosen,
        applies=arm["applies"],
        why=arm["because"] or "it does not apply",
        forbidden_by=[reason["text"] for reason in arm["forbidden_by"]],
        better_at=_moment(arm["unconstrained_at"]),
        shut_by=receipt["moved_by"] if is_chosen else [],
    )


def _propensities(receipt: Mapping[str, Any]) -> dict[str, str]:
    said = {
        "of this choice, e-mail and hour": receipt["propensity"],
        "of the e-mail, or of none": receipt["email_propensity"],
        "of its hour": receipt["hour_propensity"],
        "of no e-mail": receipt["wait_propensity"],
    }
    return {name: _share(value) for name, value in said.items()}


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.3g} %"


def _money(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4f}"


def _moment(text: str | None) -> str:
    return NOTHING if text is None else f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"


def _told(value: Any) -> str:
    if value is None or value in ("", []):
        return NOTHING
    return f"{value:g}" if isinstance(value, float) else str(value)
