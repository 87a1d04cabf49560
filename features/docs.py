"""The page of all features, printed from the catalogue: `python -m features.docs` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from features.bots import RULES
from features.catalog import CATALOG, GROUPS, MODEL_INPUTS
from features.feature import Feature
from features.segments import SEGMENTS, STAGES, Segment

PAGE = Path(__file__).parent.parent / "docs" / "features.md"

_INTRO = f"""# Features

<!-- printed from code by `python -m features.docs`; edit the code, not this page -->

What is known of a customer at a moment (`as_of`), from events that had happened before it and were
known by then. Windows are half open: "within 30 days" is [as_of - 30 days, as_of). Times since
something are in days with fractions. Hours and days of the week are the customer's own. Money is in
the base currency; what was paid in another one is left out, and a sum that would be of nothing else
is unknown. Nothing is seen beyond the `newest_events` of a customer (and what is always kept: what
decides permissions, and sends), however long a window is. There are {len(CATALOG)} features, of
which {len(MODEL_INPUTS)} are inputs of models (*).

A new feature takes six lines in the module of its group, and nothing else:

```python
    _feature(
        "shop_orders_365d",
        "orders in a shop within a year",
        count(happened("order", days=365, where=pl.col("channel") == "store")),
        0,
    ),
```

The last value is what the feature is where nothing has happened yet: 0 for a count, `None` where
nothing can be said. The words that sum up the acts of one
customer before `as_of`, or products or categories, stand in `features/readings.py`, their columns
in `features/views.py` and `features/touched.py`; a feature of finished features is an expression.
"""


def page() -> str:
    """`docs/features.md` as the catalogue has it."""
    return "\n".join(
        [
            _INTRO,
            *_groups(),
            *_choices("Segments", SEGMENTS),
            *_choices("Stages of the journey", STAGES),
            *_machines(),
        ]
    )


def _groups() -> Iterator[str]:
    for group, features in GROUPS.items():
        yield f"## {group.capitalize()}\n"
        yield "| feature | meaning | without history |\n|---|---|---|"
        yield from (_row(feature) for feature in features)
        yield ""


def _row(feature: Feature) -> str:
    mark = " *" if feature.name in MODEL_INPUTS else ""
    empty = "unknown" if feature.when_no_history is None else feature.when_no_history
    return f"| `{feature.name}`{mark} | {feature.meaning} | {empty} |"


def _choices(title: str, choices: tuple[Segment, ...]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "The first that applies:\n"
    yield "| name | when |\n|---|---|"
    yield from (f"| `{choice.name}` | {choice.meaning} |" for choice in choices)
    yield ""


def _machines() -> Iterator[str]:
    yield "## Machines\n"
    yield (
        "Apps open mail and gateways click its links before anybody has read it. Such opens and "
        "clicks\nare no answers and no activity, in features, hours and labels alike; the event "
        "itself stays in the lake.\nThe first rule that applies gives the reason. As everything "
        "else, a verdict comes of what was known\nby `as_of`. Permissions never ask: an "
        "unsubscribe counts, whoever clicked it.\n"
    )
    yield "| reason | how a machine is known |\n|---|---|"
    yield from (f"| `{rule.reason}` | {rule.meaning} |" for rule in RULES)
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
