"""The templates, which lie beside this file; whatever they print is escaped.

Braces too: what a title says is no placeholder of the sender's own template language.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

FOLDER = Path(__file__).parent


def _escaped(value: Any) -> Markup:
    """`value` as text of HTML; what is Markup already stays as it is."""
    if isinstance(value, Markup):
        return value
    return escape(value).replace("{", Markup("&#123;")).replace("}", Markup("&#125;"))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,  # a name that is not there is a fault, never an empty place
        finalize=_escaped,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def template(name: str) -> Template:
    return _environment().get_template(name)
