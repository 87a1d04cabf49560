"""A mapping from its TOML file, or every fault in it with what to type."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from features.errors import DataError
from pipelines.ingest.mapping import Mapping, Part
from pipelines.ingest.suggest import did_you_mean


def load_mapping(file: Path) -> Mapping:
    """The mapping in `file`; a DataError names all its faults at once, each by its place."""
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as fault:
        raise DataError(
            f"cannot read the mapping file {file}: {fault.strerror}; "
            "maps/online_retail_uci.toml is a pattern to copy"
        ) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise DataError(f"the mapping file {file} is not TOML: {fault}") from fault
    try:
        return Mapping.model_validate(given)
    except ValidationError as faults:
        lines = [f"  {_explained(fault)}" for fault in faults.errors(include_url=False)]
        raise DataError("\n".join([f"the mapping file {file} cannot be used:", *lines])) from None


def _explained(fault: Any) -> str:
    *path, key = fault["loc"] or ("the mapping",)
    # Items of a list are counted as people count them: the first is #1.
    names = [f"#{part + 1}" if isinstance(part, int) else str(part) for part in (*path, key)]
    place = ".".join(names)
    match fault["type"]:
        case "extra_forbidden":
            known = sorted(_part_at(path).model_fields)
            hint = did_you_mean(str(key), known) or f"; known: {', '.join(known)}"
            return f"{place}: no such key{hint}"
        case "missing":
            return f"{place}: missing; {_part_at(path).model_fields[str(key)].description}"
        case "value_error":
            return f"{place}: {fault['ctx']['error']}"
        case "tuple_type":
            return f"{place}: a list is wanted, in brackets: [...]"
        case _:
            return f"{place}: {fault['msg']}, found {fault['input']!r}"


def _part_at(path: list[str | int]) -> type[Part]:
    """The model of the table at `path`, in which numbers count the items of a list."""
    part: type[Part] = Mapping
    for name in path:
        if isinstance(name, int):
            continue
        pending = [part.model_fields[name].annotation]
        while pending:
            annotation = pending.pop()
            if isinstance(annotation, type) and issubclass(annotation, Part):
                part = annotation
            pending.extend(get_args(annotation))
    return part
