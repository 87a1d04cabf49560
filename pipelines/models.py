"""Which models there are: what `onje train NAME` makes."""

from __future__ import annotations

from features.errors import SettingsError

TRAINERS: dict[str, tuple[str, ...]] = {
    "churn": ("churn",),
    "send-hour": ("send-hour",),
    "affinity": ("affinity-category", "affinity-product"),
}
MODELS = tuple(model for made in TRAINERS.values() for model in made)


def known_model(name: str) -> str:
    """`name`, if a model is called so; SettingsError with the names there are."""
    if name not in MODELS:
        raise SettingsError(f"no model is called {name}; there are {', '.join(MODELS)}")
    return name
