"""What the customer reads, in their language; whatever a language lacks is said in English."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from serving.rendering.templates import FOLDER

ENGLISH = "en"


@cache
def _catalogue() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads((FOLDER / "sentences.toml").read_text("utf-8"))


def languages() -> tuple[str, ...]:
    """Those that have sentences, English first."""
    return tuple(_catalogue())


def language_of(locale: str | None) -> str:
    """The language of a locale ("ko-KR", "ko_KR"), English where it has no sentences."""
    language = (locale or ENGLISH).replace("_", "-").split("-")[0].lower()
    return language if language in languages() else ENGLISH


def sentence(name: str, language: str, figures: Mapping[str, Any]) -> str:
    """A short text (discount, coupon, unsubscribe) with its figures."""
    return str(_catalogue()[language].get(name, _catalogue()[ENGLISH][name])).format(**figures)


def reason(codes: Sequence[str], language: str, figures: Mapping[str, Any]) -> str:
    """The first of `codes` (e-mail, trigger) that has a sentence whose figures are all known."""
    for spoken in dict.fromkeys([language, ENGLISH]):
        said = _catalogue()[spoken]["because"]
        for code in codes:
            if code in said and (text := _filled(said[code], figures)):
                return text
        if any(code in said for code in codes):
            break  # better a plain word in their language than an exact one in another
    return sentence("plain", language, {})


def _filled(text: str, figures: Mapping[str, Any]) -> str | None:
    wanted = [name for _, name, _, _ in string.Formatter().parse(text) if name]
    found = {name: figures.get(name) for name in wanted}
    if any(value is None for value in found.values()):
        return None
    return text.format(**{name: _plain(value) for name, value in found.items()})


def _plain(value: Any) -> str:
    """A figure as people write it: whole numbers, and of a category path its last part."""
    if isinstance(value, float):
        return f"{value:,.0f}"
    return str(value).split(" > ")[-1]
