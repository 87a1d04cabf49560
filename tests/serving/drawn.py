"""Tables drawn as text: a header, then one line per row; "-" is null, figures become numbers."""

from __future__ import annotations

from datetime import UTC, datetime


def drawn(text: str) -> list[dict[str, object]]:
    header, *lines = [
        [cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()
    ]
    assert all(len(line) == len(header) for line in lines), "each row has a cell per column"
    return [dict(zip(header, map(_value, line), strict=True)) for line in lines]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _value(cell: str) -> object:
    if cell in ("-", ""):
        return None
    if cell in ("yes", "no"):
        return cell == "yes"
    try:
        return float(cell)
    except ValueError:
        return cell
