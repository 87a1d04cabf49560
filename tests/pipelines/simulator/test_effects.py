"""Which kind a mail is of: its trigger says so; of a workflow's step, its name does."""

import pytest

from pipelines.simulator.effects import BY_NAME, EFFECTS, PLAIN, kind_of


@pytest.mark.parametrize(
    ("email", "trigger", "kind"),
    [
        ("spring_sale", "price_drop", "price_drop"),
        ("win_back_2", BY_NAME, "win_back"),
        ("brand_story", BY_NAME, "brand_story"),
        ("spring_sale", BY_NAME, PLAIN),
        ("win_back_2", "horoscope", PLAIN),
    ],
)
def test_the_kind_of_a_mail(email, trigger, kind):
    assert kind_of(email, trigger) == kind


def test_every_figure_is_a_chance_or_a_factor():
    for effect in EFFECTS.values():
        assert 0 < effect.click <= 0.1 and 0 < effect.order < 0.5 and 0 < effect.anyway < 1
        assert 0.5 < effect.open < 2 and 0.2 < effect.unsubscribe < 2
