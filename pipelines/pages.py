"""The pages of docs/ that are printed from code: `python -m pipelines.pages` writes them.

With `--check` nothing is written; a page that is not what code says ends in exit code 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import typer
from typer.testing import CliRunner

import features.docs
import pipelines.simulator.docs
import serving.docs
import serving.guardrail_docs
import serving.receipt_docs
from pipelines.cli import VERBS, application
from pipelines.settings import Settings, load_settings

ROOT = Path(__file__).parent.parent
NOTE = "<!-- printed from code by `make docs`; edit the code, not this page -->\n\n"


def cli_page() -> str:
    """Every verb with its whole help text."""
    parts = ["# Command line\n\n", NOTE, "```\n", _help(None), "```\n"]
    for verb in VERBS:
        parts += [f"\n## onje {verb}\n\n```\n", _help(verb), "```\n"]
        for below in _commands_below(verb):
            parts += [f"\n### onje {verb} {below}\n\n```\n", _help(verb, below), "```\n"]
    return "".join(parts)


def _commands_below(verb: str) -> list[str]:
    command = typer.main.get_command(application(verb)).commands[verb]  # type: ignore[attr-defined]
    return list(getattr(command, "commands", ()))


def _help(verb: str | None, *below: str) -> str:
    words = [verb, *below, "--help"] if verb else ["--help"]
    width = {"COLUMNS": "100", "TERMINAL_WIDTH": "100"}
    shown = CliRunner().invoke(application(verb), words, env=width)
    return "\n".join(line.rstrip() for line in shown.output.strip().splitlines()) + "\n"


def settings_page() -> str:
    """Every setting of onje.toml with the value it has there and what it means."""
    settings = load_settings(ROOT / "onje.toml", patches=[])
    parts = ["# Settings\n\n", NOTE, _settings_intro(settings)]
    for title, rows in _tables((ROOT / "onje.toml").read_text("utf-8")):
        parts.append(f"\n## [{title}]\n\n| setting | value | meaning |\n|---|---|---|\n")
        parts += [f"| `{key}` | `{value}` | {meaning} |\n" for key, value, meaning in rows]
    return "".join(parts)


def _settings_intro(settings: Settings) -> str:
    return (
        "`onje.toml` states every value; code has no defaults of its own. An unknown or missing "
        "key stops the start with a hint. Patches in the store lie over the file; their sum has a "
        "SHA-256 that stands in every receipt.\n"
        f"\nThe file that ships has {len(settings.emails)} e-mails.\n"
    )


def _tables(text: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    title: str = ""
    rows: list[tuple[str, str, str]] = []
    for line in _whole_values(text):
        if head := re.fullmatch(r"\[([\w.\-]+)\]\s*(?:#.*)?", line):
            if rows:
                yield title, rows
            title, rows = head[1], []
        elif pair := re.fullmatch(r"(\w+)\s*=\s*(.*?)\s*(?:#\s*(.*))?", line):
            rows.append((pair[1], pair[2].replace("|", "\\|"), pair[3] or ""))
    if rows:
        yield title, rows


def _whole_values(text: str) -> Iterator[str]:
    """The lines of a TOML file, a value that spans several of them as one."""
    begun: list[str] = []
    for line in text.splitlines():
        begun.append(line.strip() if begun else line)
        code = " ".join(begun).split("#")[0] if len(begun) == 1 else " ".join(begun)
        if code.count("[") == code.count("]"):
            yield " ".join(begun)
            begun = []


PAGES: dict[str, Callable[[], str]] = {
    "features.md": features.docs.page,
    "emails.md": serving.docs.page,
    "guardrails.md": serving.guardrail_docs.page,
    "cli.md": cli_page,
    "receipt.md": serving.receipt_docs.page,
    "settings.md": settings_page,
    "worlds.md": pipelines.simulator.docs.page,
}


def main(words: list[str]) -> int:
    """Write the pages, or with `--check` name those that code would print otherwise."""
    stale = []
    for name, page in PAGES.items():
        file, text = ROOT / "docs" / name, page()
        if not file.exists() or file.read_text("utf-8") != text:
            stale.append(name)
            if "--check" not in words:
                file.write_text(text, "utf-8")
                print(f"wrote docs/{name}")
    if stale and "--check" in words:
        print(f"not what code says: {', '.join(stale)}; type `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
