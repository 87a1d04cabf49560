"""Which models there are: what `onje train NAME` makes."""

from __future__ import annotations

from collections.abc import Collection

from features.errors import SettingsError

TRAINERS: dict[str, tuple[str, ...]] = {
    "churn": ("churn",),
    "dormancy": ("email-dormancy", "dormancy-date"),
    "send-hour": ("send-hour",),
    "affinity": ("affinity-category", "affinity-product"),
    "response": ("response-click", "response-order", "response-unsubscribe"),
}
ALL = "all"
MODELS = tuple(model for made in TRAINERS.values() for model in made)


def known_model(name: str) -> str:
    """`name`, if a model is called so; SettingsError with the names there are."""
    if name not in MODELS:
        raise SettingsError(f"no model is called {name}; there are {', '.join(MODELS)}")
    return name


def known_group(name: str) -> str:
    """`name`, if `onje train` knows it; SettingsError with the names there are."""
    if name not in (*TRAINERS, ALL):
        made = next((group for group, models in TRAINERS.items() if name in models), None)
        hint = f"; {name} is trained by `onje train {made}`" if made else ""
        raise SettingsError(f"no {name} to train; there are {', '.join([*TRAINERS, ALL])}{hint}")
    return name


def table_of(model: str, tables: Collection[str]) -> str:
    """Which of the `tables` under [training] in onje.toml says how a model is trained."""
    groups = (group for group, made in TRAINERS.items() if model in made)
    names = [name.replace("-", "_") for name in (model, *groups)]
    return next(name for name in names if name in tables)
