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

    `stored` says per table how many rows were new; a second ingest of the same finds none. `doubts`
    are sentences: what came in and will not do what it was probably meant to do.
    """

    accounts: tuple[Account, ...]
    stored: Mapping[str, Merged]
    versions: Mapping[str, int]
    assumptions: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def is_empty_handed(self) -> bool:
        """Whether nothing at all came in, of whatever input."""
        return all(one.is_empty_handed for one in self.accounts if one.rows)

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each input of which nothing came in, with the most common reason; then
        the doubts.
        """
        nothing = (_of_nothing(one) for one in self.accounts if one.is_empty_handed)
        return (*nothing, *self.doubts)

    def as_dict(self) -> dict[str, Any]:
        """For machines, as `--json` prints it."""
        return {
            "inputs": [asdict(account) for account in self.accounts],
            "stored": {table: asdict(merged) for table, merged in self.stored.items()},
            "versions": dict(self.versions),
            "assumptions": list(self.assumptions),
            "warnings": list(self.warnings),
        }

    def __rich__(self) -> RenderableType:
        """For people: two tables, the assumptions, and at the end what went wrong as a whole."""
        # rich costs a tenth of a second, which who asks for JSON does not pay.
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        rows = Table(title="What came in", title_justify="left")
        for heading in ("input", "rows", "became", "why not"):
            rows.add_column(heading, overflow="fold")
        for account in (one for one in self.accounts if one.rows):
            rows.add_row(account.input, f"{account.rows:,}", "", "", style="bold")
            for kind, number in account.became.items():
                rows.add_row("", f"{number:,}", kind, "")
            for reason, number in account.rejected.items():
                rows.add_row("", f"{number:,}", "rejected", Text(_with_sample(account, reason)))
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
        warned = [Text(sentence, style="bold red") for sentence in self.warnings]
        return Group(rows, lake, Text("Taken to be so"), *assumed, *warned)


def _with_sample(account: Account, reason: str) -> str:
    sample = account.samples.get(reason)
    return reason if sample is None else f"{reason}: {sample}"


def _of_nothing(account: Account) -> str:
    most = max(account.rejected, key=lambda reason: account.rejected[reason])
    return (
        f"Nothing of {account.input} came in: {account.rejected[most]:,} of its {account.rows:,} "
        f"rows were rejected, as: {_with_sample(account, most)}. Mend the file or what the "
        "mapping says of it, then run again."
    )
