"""What came in, what did not and why: the answer to `onje ingest`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from features.lake import Merged
from pipelines.ingest.ingested import Account

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Report:
    """The account of every input row, what the lake made of it, and what was assumed.

    `stored` says per table how many rows were new; a second ingest of the same finds none.
    """

    accounts: tuple[Account, ...]
    stored: Mapping[str, Merged]
    versions: Mapping[str, int]
    assumptions: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For machines, as `--json` prints it."""
        return {
            "inputs": [asdict(account) for account in self.accounts],
            "stored": {table: asdict(merged) for table, merged in self.stored.items()},
            "versions": dict(self.versions),
            "assumptions": list(self.assumptions),
        }

    def __rich__(self) -> RenderableType:
        """For people: two tables and the assumptions."""
        # rich costs a tenth of a second, which who asks for JSON does not pay.
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        rows = Table(
            "input", "rows", "became", "why not", title="What came in", title_justify="left"
        )
        for account in (one for one in self.accounts if one.rows):
            rows.add_row(account.input, f"{account.rows:,}", "", "", style="bold")
            for kind, number in account.became.items():
                rows.add_row("", f"{number:,}", kind, "")
            for reason, number in account.rejected.items():
                sample = account.samples.get(reason)
                why = reason if sample is None else f"{reason}: {sample}"
                rows.add_row("", f"{number:,}", "rejected", Text(why))
        lake = Table(
            "table", "new", "known already", "version", title="In the lake", title_justify="left"
        )
        for table, merged in self.stored.items():
            version = self.versions.get(table)
            lake.add_row(
                table,
                f"{merged.inserted:,}",
                f"{merged.known_already:,}",
                "–" if version is None else str(version),
            )
        assumed = [Text(f"· {sentence}") for sentence in self.assumptions]
        return Group(rows, lake, Text("Taken to be so"), *assumed)
