"""Decisions on 500,000 customers, recorded durably, beside an endpoint that does nothing.

`make bench-serve` makes the store (SYNTHETIC, see benchmarks/big_store.py), starts the service on
it as `onje serve` would, with all four models and the whole policy, and asks from another process
on the same machine. `ARGS=--json` prints the figures as its last line; `--customers 20000` is for
trying and leaves docs/benchmarks.md as it is; `--set gather_ms=20` tries another [service] setting.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from benchmarks.big_store import CUSTOMERS, at_home, big_store, set_clock
from benchmarks.load import Asked, Load, measured_apart
from benchmarks.page import keep
from features.errors import NotReadyError, SettingsError
from pipelines.console import Step, progress
from pipelines.places import places
from pipelines.serve import Running, running
from serving.access.keys import new_key
from serving.access.scopes import Scope

SECONDS, WARM_UP_SECONDS = 15.0, 3.0
AT_ONCE = 64
STAGES = ("read", "scores", "deciding", "record")
# The rate of one key is no matter here: an endpoint that does nothing would soon reach it.
UNLIMITED = {"per_second": "1000000", "burst": "1000000"}


@dataclass(frozen=True)
class Bench:
    """A service under measurement: where it is, who may ask it, how many processes it has."""

    service: Running
    key: str
    customers: int
    workers: int
    store: Path

    def ask(self, path: str, *, at_once: int, seconds: float, recorded: bool) -> Load:
        """Ask one path, with new request ids each time."""
        host, port = self.service.address.removeprefix("http://").rsplit(":", 1)
        return measured_apart(
            Asked(
                host=host,
                port=int(port),
                path=path,
                key=self.key,
                prefix=f"bench-{time.time_ns()}",
                customers=0 if path == "/v1/nothing" else self.customers,
                dry_run=not recorded,
                concurrency=at_once,
                seconds=seconds,
                warm_up_seconds=WARM_UP_SECONDS,
            )
        )

    def spent(self) -> dict[str, float]:
        """Seconds since the start by stage, of all processes together."""
        figures = httpx.get(
            f"{self.service.address}/metrics", headers={"Authorization": f"Bearer {self.key}"}
        ).text
        return {
            stage: sum(
                float(value)
                for value in re.findall(
                    rf'^onje_stage_seconds_sum{{stage="{stage}"}} (\S+)$', figures, re.MULTILINE
                )
            )
            for stage in STAGES
        }


@contextmanager
def started(customers: int, changes: Mapping[str, str], *, step: Step) -> Iterator[Bench]:
    """The service on the big store, with these changes of settings, and a key to ask it by."""
    home = big_store(customers, step=step)
    text = places(os.environ).settings_file.read_text("utf-8")
    (home / "onje.toml").write_text(changed(text, {**UNLIMITED, **changes}), "utf-8")
    with at_home(home, home / "onje.toml") as onje:
        set_clock(onje)
        key, written = new_key(name="bench", scopes=set(Scope), lasts=None, now=datetime.now(UTC))
        onje.store.add_key(key)
    with at_home(home, home / "onje.toml") as onje:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            os.environ["ONJE_PORT"] = str(free.getsockname()[1])
        at = places(os.environ)
        try:
            with running(at, log=home / "service.log", service="benchmarks.service:Onje") as up:
                _refuse_to_measure_nothing(up, written)
                yield Bench(
                    up, written, customers, onje.settings.service.workers, home / "store.db"
                )
        finally:
            del os.environ["ONJE_PORT"]


def _refuse_to_measure_nothing(up: Running, key: str) -> None:
    """NotReadyError where it answers without its models or its store: quickly, and for nothing."""
    question = {"request_id": "first", "customer_id": "customer-0000000", "dry_run": True}
    answer = httpx.post(
        f"{up.address}/v1/decide", json=question, headers={"Authorization": f"Bearer {key}"}
    ).json()
    codes = {reason["code"] for reason in answer.get("because", [])}
    if answer.get("degraded", True) or "store_unavailable" in codes:
        raise NotReadyError(f"the service decides nothing: {answer}; its log is {up.log}")


def changed(text: str, changes: Mapping[str, str]) -> str:
    """The settings file with other values; SettingsError for a name that it does not have once."""
    for name, value in changes.items():
        text, found = re.subn(rf"(?m)^{re.escape(name)} = \S+", f"{name} = {value}", text)
        if found != 1:
            raise SettingsError(f"--set {name}=...: onje.toml has {found} lines of this name")
    return text


def run(
    customers: int, *, step: Step, changes: Mapping[str, str], seconds: float
) -> dict[str, Any]:
    """Loads by name, each for so many seconds, and the share of each stage in them."""
    measured: dict[str, Any] = {}
    with started(customers, changes, step=step) as bench:
        for at_once in (1, AT_ONCE):
            for name, path, recorded in (
                ("nothing", "/v1/nothing", False),
                ("dry run", "/v1/decide", False),
                ("recorded", "/v1/decide", True),
            ):
                before, load, after = (
                    bench.spent(),
                    bench.ask(path, at_once=at_once, seconds=seconds, recorded=recorded),
                    bench.spent(),
                )
                whole = (load.seconds + WARM_UP_SECONDS) * min(at_once, bench.workers)
                stages = {one: (after[one] - before[one]) / whole for one in STAGES}
                stages["http"] = 1 - sum(stages.values())
                measured[f"{name}, {at_once} at once"] = {
                    **asdict(load), "failed": load.failed, "stages": stages,
                }  # fmt: skip
        measured["about"] = {
            "customers": customers,
            "workers": bench.workers,
            "memory_mib": _memory(bench.service.process.pid),
        }
    return measured


def _memory(root: int) -> list[int]:
    """Resident memory of the supervisor and each process below it, MiB."""
    return [rss_of(pid) // 2**20 for pid in family(root)]


def family(root: int) -> list[int]:
    """A process and all below it."""
    pids = [root]
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            pids += [int(one) for one in (task / "children").read_text().split()]
    return pids


def rss_of(pid: int) -> int:
    """Resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def table(measured: Mapping[str, Any]) -> str:
    """The figures as markdown tables."""
    about = measured["about"]
    loads = {name: load for name, load in measured.items() if name != "about"}
    lines = [
        f"{about['customers']:,} customers, {about['workers']} processes; the generator runs on "
        "the same machine.\n",
        "| what | p50 ms | p99 ms | per second | of doing nothing | sends | failed | generator |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, load in loads.items():
        floor = loads[f"nothing, {load['concurrency']} at once"]["per_second"]
        lines.append(
            f"| {name} | {load['p50_ms']:.1f} | {load['p99_ms']:.1f} | {load['per_second']:,.0f} "
            f"| {load['per_second'] / floor:.2f} | {load['sends']:,} of {load['answers']:,} "
            f"| {load['failed']} | {load['generator_cpu']:.0%} of a core |"
        )
    lines += [
        "\nWhat the time of the processes went to (http: all else, waiting for work among it):\n",
        f"| what | {' | '.join((*STAGES, 'http'))} |",
        "|---" * (len(STAGES) + 2) + "|",
    ]
    lines += [
        f"| {name} | {' | '.join(f'{share:.0%}' for share in load['stages'].values())} |"
        for name, load in loads.items()
        if not name.startswith("nothing")
    ]
    return "\n".join(lines)


def as_line(measured: Mapping[str, Any]) -> str:
    """The figures that are compared from run to run, as one line of JSON."""

    def of(name: str, *figures: str) -> dict[str, float]:
        named = {"rps": "per_second"}
        return {one: round(measured[name][named.get(one, one)], 3) for one in figures}

    loaded = f"recorded, {AT_ONCE} at once"
    three = ("rps", "p50_ms", "p99_ms")
    stages = {one: round(share, 4) for one, share in measured[loaded]["stages"].items()}
    return json.dumps(
        {
            "alone": of("recorded, 1 at once", "p50_ms", "p99_ms"),
            "c64": of(loaded, *three),
            "noop": of(f"nothing, {AT_ONCE} at once", *three),
            "stages": stages,
        }
    )


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="make bench-serve ARGS=", description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    asked = parser.parse_args(words)
    changes = dict(one.split("=", 1) for one in asked.set)
    with progress(quiet=asked.as_json) as step:
        measured = run(asked.customers, step=step, changes=changes, seconds=asked.seconds)
    if asked.customers == CUSTOMERS and not changes:
        keep("serving", table(measured), measured)
    print(table(measured))
    if asked.as_json:
        print(as_line(measured))


if __name__ == "__main__":
    main(sys.argv[1:])
