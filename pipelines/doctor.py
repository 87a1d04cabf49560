"""Look over an installation and say of each part whether it is fine, and if not what to type."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from features.errors import DamagedError, OnjeError
from pipelines.installation import Installation, opened
from pipelines.models import TRAINERS
from pipelines.places import Places, places
from pipelines.rescore import READ
from pipelines.settings import load_settings
from serving.brake import brake_of
from serving.scores import NEEDED

ENOUGH_DISK_GB = 2
FRESH_DAYS = 7
# What is due for longer waits for somebody who does not come.
LATE = timedelta(minutes=5)


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    fine: bool
    found: str
    do: str


def examine() -> list[Finding]:
    """Everything that can be looked at; what is broken does not hide what comes after it."""
    findings = [_python(), *_packages()]
    try:
        at = places(os.environ)
        findings += [_disk(at), _port(at)]
        load_settings(at.settings_file, patches=[])
        if not at.home.exists():
            empty = f"nothing at {at.home} yet"
            return [*findings, Finding("home", False, empty, "onje ingest --help, or onje demo")]
        with opened() as onje:
            findings += [_settings(onje)]
            of_data = (_lake, _data, _age, _money, _zones, _countries, _store)
            findings += [_looked(look, onje) for look in (*of_data, _webhooks, _complaints)]
            findings += [_registry(onje)]
            findings += list(_models(onje))
            findings += [_looked(_uplift, onje), _looked(_outputs, onje)]
    except OnjeError as error:
        findings.append(Finding("settings and store", False, str(error), "mend what it names"))
    return findings


def _looked(look: Callable[[Installation], Finding], onje: Installation) -> Finding:
    try:
        return look(onje)
    except OnjeError as error:
        return Finding(look.__name__.strip("_"), False, str(error), "follow that hint")


def _python() -> Finding:
    found = sys.version.split()[0]
    return Finding("Python", sys.version_info >= (3, 11), found, "install Python 3.11 or newer")


def _packages() -> Iterator[Finding]:
    too_old = []
    for line in requires("onje") or []:
        wanted = re.match(r"([\w.-]+)>=([\d.]+)", line)
        if wanted is None or "extra ==" in line:
            continue
        name, floor = wanted.groups()
        try:
            if _number(version(name)) < _number(floor):
                too_old.append(f"{name} {version(name)} < {floor}")
        except PackageNotFoundError:
            too_old.append(f"{name} is missing")
    found = ", ".join(too_old) or "all at or above their floors"
    yield Finding("packages", not too_old, found, "make run, or install from locks/run.txt")
    try:
        ZoneInfo("Asia/Kathmandu")
        yield Finding("time zones", True, "known", "")
    except KeyError:
        yield Finding("time zones", False, "no data", "install the package tzdata")


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _disk(at: Places) -> Finding:
    there = next(folder for folder in (at.home, *at.home.parents) if folder.exists())
    free = shutil.disk_usage(there).free / 1e9
    writable = os.access(there, os.W_OK)
    found = f"{free:,.0f} GB free under {there}" + ("" if writable else ", not writable")
    return Finding("disk", writable and free > ENOUGH_DISK_GB, found, "set ONJE_HOME elsewhere")


def _port(at: Places) -> Finding:
    with socket.socket() as probe:
        taken = probe.connect_ex((at.host, at.port)) == 0
    found = f"{at.host}:{at.port} " + ("answers: a service runs there" if taken else "is free")
    return Finding("port", True, found, "")


def _settings(onje: Installation) -> Finding:
    offset = onje.settings.clock.offset_days
    clock = f"; the clock is {offset} days behind (demo or simulation)" if offset else ""
    found = f"{onje.places.settings_file}, {len(onje.settings.emails)} e-mails{clock}"
    return Finding("settings", True, found, "")


def _lake(onje: Installation) -> Finding:
    if not onje.lake.exists("events"):
        return Finding("lake", False, f"no events in {onje.places.lake}", "onje ingest --help")
    versions = ", ".join(f"{name} v{at}" for name, at in sorted(onje.lake.versions().items()))
    return Finding("lake", True, versions, "")


def _data(onje: Installation) -> Finding:
    found = (
        "synthetic: the lake holds events of a simulated world"
        if onje.lake.is_synthetic()
        else "no events of a simulated world"
    )
    return Finding("data", True, found, "")


def _age(onje: Installation) -> Finding:
    """Whether anything was heard lately: of what came after, models and triggers know nothing."""
    newest = onje.lake.scan("events").select(pl.col("known_at").max()).collect().item()
    if newest is None:
        return Finding("age", False, "no event in the lake", "onje ingest --help")
    days = (onje.now() - newest).days
    found = f"the newest event became known {days} days ago, {newest:%Y-%m-%d}"
    return Finding("age", days <= FRESH_DAYS, found, "bring newer events in with onje ingest")


def _money(onje: Installation) -> Finding:
    """How much of the money is in a currency that spend leaves out."""
    base = onje.settings.features.base_currency
    paid = onje.lake.scan("events").filter(pl.col("amount").is_not_null())
    counted = paid.select(lines=pl.len(), other=(pl.col("currency") != base).sum()).collect()
    lines, other = counted.row(0)
    found = f"{other:,} of {lines:,} amounts are not in {base} and left out of spend"
    return Finding("money", not other, found, "set base_currency under [features] to theirs")


def _zones(onje: Installation) -> Finding:
    """Whether the customers' zones are zones; who has none is somewhere else, and no fault."""
    from pipelines.ingest.doubts import no_zones

    said = ["customer_id", "known_at", "timezone"]
    doubt = no_zones(onje.lake.read("customers", columns=said))
    do = "mend the zones where they come from, and bring the customers in again with onje ingest"
    return Finding("zones", doubt is None, doubt or "every zone that is named is one", do)


def _countries(onje: Installation) -> Finding:
    """Whether the customers' countries are countries; of whom none is known, the default holds."""
    from pipelines.ingest.doubts import no_countries, without_country

    said = onje.lake.read("customers", columns=["customer_id", "known_at", "country"])
    doubt, default = no_countries(said), onje.settings.serving.law.default_country
    told = (
        f"the law of {default} (default_country under [law]) holds for {without_country(said):,} "
        "customers whose country nobody told"
    )
    do = "mend the countries where they come from, and bring the customers in again"
    return Finding("countries", doubt is None, "; ".join(filter(None, (doubt, told))), do)


def _store(onje: Installation) -> Finding:
    publication = onje.store.publication()
    if publication is None:
        return Finding("store", False, "nothing was published yet", "onje publish")
    published, versions = publication["lake_versions"], onje.lake.versions()
    behind = any(published.get(table) != versions.get(table) for table in READ)
    found = f"published {publication['at']}" + ("; the lake has moved since" if behind else "")
    return Finding("store", not behind, found, "onje publish" if behind else "")


def _webhooks(onje: Installation) -> Finding:
    """Whether what webhooks told became events; what waits is for the service to parse."""
    counts = onje.store.delivery_counts()
    found = f"{counts['waiting']:,} deliveries wait to be parsed, {counts['dead']:,} dead letters"
    do = "see why by `onje dead-letters list`, then replay or drop them"
    return Finding("webhooks", not counts["dead"], found, do)


def _complaints(onje: Installation) -> Finding:
    """Whether so many reported mail as spam that marketing slows down or stops."""
    brake = brake_of(onje.store.conditions_at(onje.now()), onje.settings.brake)
    told = {"off": "", "halved": "; its caps are halved", "stopped": "; no marketing leaves"}
    found = f"{brake.because}{told[brake.state]}"
    mend = "see which e-mail they came of, and mail only whoever clicks for a week"
    return Finding("complaints", brake.state == "off", found, mend)


def _registry(onje: Installation) -> Finding:
    """Whether the record of models can be read; of a server, only where it is."""
    at = onje.places.tracking_uri
    if at is not None:
        return Finding("registry", True, f"MLflow at {at}", "")
    from training.registry import DATABASE

    file = onje.places.home / DATABASE
    if not file.exists():
        return Finding("registry", True, f"no {file} yet; onje train makes it", "")
    from training.registry_database import fault_of

    fault = fault_of(file)
    return Finding("registry", fault is None, fault or f"{file} can be read", "follow that hint")


def _models(onje: Installation) -> Iterator[Finding]:
    from training.model.folder import load
    from training.registry import champions

    found = champions(onje.places.home)
    settings = onje.settings.features.model_dump(mode="json")
    for trained, names in TRAINERS.items():
        for name in names:
            what = f"model {name}"
            if name not in found:
                needed = name in NEEDED
                told = "no champion" if needed else "no champion; your own figures hold"
                yield Finding(what, not needed, told, f"onje train {trained} --promote")
                continue
            try:
                model = load(found[name])
            except OnjeError as error:
                anew = f"onje train {trained} --promote"
                cure = "onje doctor --mend" if _is_damaged(found[name]) else anew
                yield Finding(what, False, str(error), cure)
                continue
            misfit = model.misfit(settings)
            origin = "; trained on synthetic data" if model.about.get("synthetic") else ""
            fine = f"version {model.version}, tried and fine{origin}"
            yield Finding(what, misfit is None, misfit or fine, f"onje train {trained} --promote")


def _uplift(onje: Installation) -> Finding:
    """Whether it can be learnt yet what a mail changes, person by person."""
    from training.personal import too_few

    made = onje.store.left_to_chance()
    why_not = too_few(made.decisions, made.days, onje.settings.training.response)
    share = onje.settings.serving.policy.explore_emails
    if made.decisions == 0 and share:
        needed = onje.settings.training.response.randomised_needed
        found = (
            f"chance has made no decision yet; it makes {share:.0%} of them (explore_emails), and "
            f"{needed:,} are needed to learn it person by person"
        )
        return Finding("uplift", True, found, "")
    found = (
        f"{made.decisions:,} decisions made by chance: enough to learn it person by person, from a "
        "notebook; no command does it yet"
    )
    return Finding("uplift", True, found if why_not is None else why_not.reason, "")


def _outputs(onje: Installation) -> Finding:
    """Whether somebody follows where decisions are to go out, and whether they go."""
    outputs = onje.settings.outputs
    if not outputs:
        return Finding("outputs", True, "none: decisions go to who asks for them", "")
    if not onje.store.following.has_begun():
        found = f"{', '.join(outputs)}: nobody has ever followed"
        return Finding("outputs", False, found, "run onje follow, see docs/operate-follow.md")
    now = onje.now()
    backlog = onje.store.following.backlog(now=now)
    if backlog.since is not None and now - backlog.since > LATE:
        minutes = (now - backlog.since).total_seconds() / 60
        found = f"{backlog.customers:,} customers are due, for up to {minutes:,.0f} minutes"
        return Finding("outputs", False, found, "nobody follows, or too slowly: onje follow")
    stopped = [name for name, one in outputs.items() if onje.store.outbox.stopped(name) == one.url]
    if stopped:
        found = f"{', '.join(stopped)} wanted no more (410)"
        return Finding("outputs", False, found, f"onje outbox resume {stopped[0]}")
    dead = {name: n for name, one in onje.store.outbox.counts().items() if (n := one.get("dead"))}
    told = ", ".join(f"{count:,} of {name}" for name, count in dead.items())
    found = f"given up: {told}" if dead else f"{', '.join(outputs)}: nothing is late"
    return Finding("outputs", not dead, found, "onje outbox list" if dead else "")


def mend(onje: Installation) -> list[str]:
    """Bring every champion whose folder is damaged or gone back from MLflow; their names.

    A folder that is as it was on the day of training, but fails its trial, is not damaged: the same
    would come back.
    """
    from training.registry import Registry, champions

    registry = Registry(onje.places.home, onje.places.tracking_uri)
    mended = []
    for name, folder in champions(onje.places.home).items():
        if _is_damaged(folder):
            registry.pull(name)
            mended.append(name)
    return mended


def _is_damaged(folder: Path) -> bool:
    from training.model.verify import read_checked

    try:
        read_checked(folder)
    except DamagedError:
        return True
    return False
