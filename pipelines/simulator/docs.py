"""What the worlds are, in words: `onje simulate --list` and the page docs/worlds.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.simulator import dirt, worlds
from pipelines.simulator.facts import FACTS
from pipelines.simulator.worlds import DEFAULT, WORLDS

RESULTS = Path(__file__).parents[2] / "benchmarks" / "worlds.json"

WHAT: Mapping[str, str] = {
    "default": "an ordinary shop, within bounds of the real facts",
    "null-hour": "the hour of a mail changes nothing",
    "small-hour": "the right hour is worth a little",
    "strong-hour": "the right hour is worth much",
    "null-everything": "mail changes nothing that anybody does",
    "bot-flood": "a third of all clicks are those of scanners",
    "mpp": "most opens are those of mail apps, not of people",
    "confounded": "the past mailed the engaged by night, so that 03:00 looks best",
    "tiny": "a shop too small to learn much from",
    "drift": "when the past ends, rhythms and tastes of many change",
    "fatigue": "too much mail is costly",
    "rich": "ten times the clicks: what statistics could see in a very large shop",
}

_INTRO = """# Simulated worlds

<!-- printed from code by `make docs`; edit the code, not this page -->

**Everything on this page is synthetic.** A world is a simulated shop: its customers live, visit,
buy and answer mail by rules that Onje has no part in, and what they do becomes events that enter
the lake by the same ingest as anybody's. Nobody has published a log of e-mails with both send
times and clicks; a world has them, and more: it knows what would have happened without the mail,
which no log of a real shop can tell. So a claim ("the hour matters", "this policy earns more") can
be held against a known truth before anybody believes it of real data. A world says nothing about
how *your* customers behave.

```
onje simulate --world default --customers 2000 --weeks 26 --seed 1
onje simulate --list
```

The same command twice changes nothing; one that was killed can be typed again. A home
(`ONJE_HOME`) holds one world, and a home with anybody's data is refused. The history of every
world ends, and its evaluation starts, on Monday 2026-03-02 at 00:00 UTC; the clock of the home is
set to that day, so that `onje train all`, `onje publish`, `onje rescore` work on it as they stand.
What they print, the runs and versions in MLflow and the receipts of decisions say that data or
models are synthetic. It is a fact of the lake, whose events carry `source=simulated`, so that a
copy of it says the same.
"""

_HIDDEN = """
## What is hidden

`ONJE_HOME/truth/customers.parquet` holds, per customer, what no shop can see: the rhythm of their
day and week, the chance that they open and their pull towards mail, tastes and favourites, how
much a price matters to them, how often they order and visit, when they leave for good, whether an
app opens their mail or a gateway scans it. `world.json` beside it says which world it is. Only the
simulator and the evaluation may look: an import rule keeps the other packages from the simulator's
code, a test from the folder.

What a mail changes is drawn from that truth: a click depends on the kind of mail, how well its
products fit, the hour against the customer's own rhythm, their stage, the mail of the last days
and the wording. A click leads to an order that would not have come otherwise, or to one that
would: then a discount only costs. Unsubscribes and complaints rise with pressure and with what
does not fit.

Kinds that answer to what a world keeps of a customer (orders, carts, the sign-up) work only in
their place. The others (a price that fell, a search, a birthday) are taken at the word of whoever
sends them: they work as their kind does, whenever they come. The history holds seven kinds of mail
only; what the others do has to be found out.
"""


def lines() -> Iterator[str]:
    """What all worlds are, and one line per world."""
    yield "Every world is synthetic: customers, orders and clicks are simulated.\n"
    width = max(map(len, WORLDS))
    for name in WORLDS:
        yield f"{name:<{width}}  {WHAT[name]}"


def page() -> str:
    """`docs/worlds.md`, with the figures that `python -m benchmarks worlds` measured last."""
    measured: dict[str, Any] = json.loads(RESULTS.read_text("utf-8"))
    parts = [_INTRO, *_worlds(), *_figures(), _HIDDEN, *_dirt(), *_facts(measured)]
    return "\n".join(parts)


def _worlds() -> Iterator[str]:
    yield "## The named worlds\n"
    yield "| world | what it is | figures that differ from `default` |\n|---|---|---|"
    for name, world in WORLDS.items():
        own = [
            f"{field} {_figure(value)} (for {_figure(getattr(DEFAULT, field))})"
            for field, value in world.model_dump().items()
            if field != "name" and value != getattr(DEFAULT, field)
        ]
        size = f"; {world.customers:,} customers, {world.history_weeks} weeks if not said otherwise"
        what = WHAT[name] + (size if name in ("default", "tiny") else "")
        yield f"| `{name}` | {what} | {', '.join(own) or '–'} |"


def _figures() -> Iterator[str]:
    yield "\n## The figures of a world\n"
    yield "Shares are from 0 to 1; where nothing is said, the name says it.\n"
    yield "| figure | in `default` | meaning |\n|---|---|---|"
    source = Path(worlds.__file__).read_text("utf-8")
    meanings = dict(re.findall(r"^    (\w+): .*?  # (.+)$", source, re.M))
    for field, value in DEFAULT.model_dump().items():
        if field != "name":
            meaning = meanings.get(field, field.replace("_", " "))
            yield f"| {field} | {_figure(value)} | {meaning} |"


def _figure(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}"


def _dirt() -> Iterator[str]:
    yield "## What is dirty\n"
    yield "Nothing of this changes what happened; it changes what the shop is told (`default`).\n"
    yield "| dirt | how it looks | how much |\n|---|---|---|"
    soonest, latest = dirt.PREFETCH_S
    lowest, highest = dirt.SCAN_STARTS_S
    hours = "{:g} to {:g} h".format(*(second / 3600 for second in dirt.LATE_S))
    fewest, most = dirt.FEWEST_SCANNED, len(dirt.SCANNED_LINKS)
    rows = (
        (
            "opens by apps",
            f"an open {soonest:g} s to {latest / 60:g} min after delivery; when the owner looks, "
            "nobody sees it",
            f"{dirt.PREFETCHED:.0%} of the mails of {DEFAULT.mpp_share:.1%} of customers; "
            f"{DEFAULT.machine_flagged_share:.0%} of these opens are marked `machine`",
        ),
        (
            "scanner clicks",
            f"{fewest} to {most} links within 2 s, {lowest:g} to {highest:g} s after delivery, "
            "never marked",
            f"{DEFAULT.scanned_share:.1%} of the mails of {DEFAULT.gateway_share:.1%} of customers",
        ),
        (
            "copies",
            "the same event again under the same id, half of them later",
            f"{DEFAULT.duplicate_share:.1%} of events",
        ),
        ("late news", f"known {hours} after it happened", f"{DEFAULT.late_share:.1%} of events"),
        (
            "soft bounces",
            "a mail comes back that nobody would have answered",
            f"{DEFAULT.soft_bounce_share:.1%} of such mails",
        ),
        (
            "hard bounces",
            "an address stops working",
            f"{DEFAULT.bounce_prone:.1%} of customers are prone to it",
        ),
        (
            "a past with habits",
            "bulk mail on weekday mornings, more mail and nightly mail to the engaged",
            "so raw rates mislead: by hour (03:00 looks best) and by pressure (more looks better)",
        ),
    )
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _facts(measured: dict[str, Any]) -> Iterator[str]:
    customers, weeks, seed = (measured[name] for name in ("customers", "weeks", "seed"))
    yield "## World against real facts\n"
    yield (
        f"World `{measured['world']}`, {customers:,} customers, {weeks} weeks, seed {seed}: "
        f"{measured['events']:,} events, {measured['mails']:,} of them mails sent, in "
        f"{measured['seconds']:.0f} s ({measured['processor_seconds']:.0f} s of processors) and "
        f"{measured['peak_gib']:.1f} GiB on 2 cores "
        "(`python -m benchmarks worlds` measures it again).\n"
    )
    yield (
        "Real figures are aggregates of logs that are not public themselves, and of e-mail, push "
        "and SMS together unless a source says e-mail; a world has e-mail only, so bounds reach "
        "from them towards what is known of e-mail. Hours and days are those of the sender's "
        "clock; an open counts unless it is marked `machine`, a click unless it is one of three "
        "links within two seconds, as a shop could see it.\n"
    )
    yield "| fact | real | bounds | world | within | source |\n|---|---|---|---|---|---|"
    found = {row["fact"]: row for row in measured["facts"]}
    for fact in FACTS:
        row = found.get(fact.name, {})
        yield (
            f"| {fact.name} | {figure(fact.real)} | {figure(fact.low)} to {figure(fact.high)} "
            f"| {figure(row.get('world'))} | {verdict(row.get('within'))} "
            f"| {fact.source} ({fact.channels}) |"
        )
    yield ""


def figure(value: float | None) -> str:
    """A rate with as many digits as say something."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    return f"{value:.5f}" if value < 0.001 else f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def verdict(within: bool | None) -> str:
    return {True: "yes", False: "**no**", None: "–"}[within]
