"""What people see while a command works: progress on standard error, results on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

# So few columns can be squeezed into any terminal.
FEW = 4

Step = Callable[[str, int, int], None]


def silently(doing: str, done: int, total: int) -> None:
    """The step of work that is too small, or too much on its own, to be shown."""


@contextmanager
def progress(*, quiet: bool) -> Iterator[Step]:
    """A bar for long work: call the result with (what is being done, done, of how many)."""
    if quiet:
        yield silently
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<44}"), BarColumn(24), MofNCompleteColumn(),
        TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def step(doing: str, done: int, total: int) -> None:
            if doing not in tasks:
                tasks[doing] = bars.add_task(doing, total=total)
            bars.update(tasks[doing], completed=done, total=total)

        yield step


def show(result: dict[str, Any], *, as_json: bool, title: str) -> None:
    """Print a result: one JSON line for machines, a two-column table for people.

    Where it says `synthetic`, so does the title.
    """
    if as_json:
        print(json.dumps(result, default=plain))
        return
    from rich.console import Console
    from rich.table import Table

    title = _titled(title, [result])
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
    for name, value in result.items():
        table.add_row(name.replace("_", " "), _readable(value))
    Console().print(table)


def show_rows(rows: list[dict[str, Any]], *, as_json: bool, title: str) -> None:
    """Print rows that share their keys: a JSON list for machines, for people a table.

    Rows that are too long for the terminal are printed as a block each, not squeezed. Where one
    says `synthetic`, so does the title.
    """
    if as_json:
        print(json.dumps(rows, default=plain))
        return
    from rich.console import Console
    from rich.table import Table

    console, title = Console(), _titled(title, rows)
    names = [name.replace("_", " ") for name in (rows[0] if rows else ())]
    lines = [[_readable(value) for value in row.values()] for row in rows]
    width = sum(max(map(len, column)) + 3 for column in zip(names, *lines, strict=True))
    if len(names) <= FEW or width < console.width:
        table = Table(*names, title=title, title_justify="left")
        for line in lines:
            table.add_row(*line)
        console.print(table)
        return
    console.print(title, style="italic")
    for line in lines:
        block = Table(show_header=False, box=None, padding=(0, 2))
        for name, value in zip(names, line, strict=True):
            block.add_row(name, value)
        console.print(block)
        console.print()


def _titled(title: str, rows: list[dict[str, Any]]) -> str:
    return f"{title} (synthetic data)" if any(row.get("synthetic") for row in rows) else title


def plain(value: Any) -> str:
    """What JSON has no form for: moments in ISO 8601 with T and offset, all else as text."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _readable(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, datetime) and value.tzinfo is not None:
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_readable(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_readable(inner) for inner in value)
    # What stands in square brackets is a table of onje.toml, no markup.
    return str(value).replace("[", "\\[")


def say(text: str) -> None:
    """A line for people, on standard error, so that results stay alone on standard output."""
    print(text, file=sys.stderr, flush=True)
