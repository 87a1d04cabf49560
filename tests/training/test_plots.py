"""Pictures are drawn when somebody looks."""

from __future__ import annotations

from training.plots import Drawn


def test_a_picture_is_drawn_once_and_only_when_it_is_asked_for() -> None:
    asked = list[str]()

    def draw() -> bytes:
        asked.append("gain")
        return b"picture"

    figures = Drawn({"gain": draw, "lift": lambda: b"other"})
    assert list(figures) == ["gain", "lift"] and len(figures) == 2 and asked == []
    assert figures["gain"] == figures["gain"] == b"picture" and asked == ["gain"]
    assert {**figures} == {"gain": b"picture", "lift": b"other"}
