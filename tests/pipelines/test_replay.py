"""`onje replay` and `onje render`: what they print, and with which exit code they end."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from features.errors import NotReadyError
from pipelines.cli import application
from tests.serving.api.service import SETTINGS_FILE
from tests.spec.replaying import replayed_shop
from tests.spec.test_replay import NOW, PAST, decided, tamper


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.setenv("ONJE_HOME", str(tmp_path))
    monkeypatch.setenv("ONJE_SECRET", "the root secret of all API tests")
    monkeypatch.setenv("ONJE_SETTINGS", str(SETTINGS_FILE))
    with replayed_shop(tmp_path) as shop:
        shop.at(NOW)
        shop.happened(PAST)
        shop.open("ann", "bob")
        yield shop


def onje(*words: str):
    return CliRunner().invoke(application(words[0]), list(words))


def test_equal_ends_in_0(shop):
    decision = decided(shop)
    done = onje("replay", decision)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("equal: decided again, all ")
    told = json.loads(onje("replay", decision, "--json").stdout)
    assert (told["equal"], told["same_decision"], told["differences"]) == (True, True, [])


def test_a_difference_is_named_and_ends_in_1(shop):
    decision = decided(shop)
    tamper(shop, decision, lambda receipt: receipt["features"].update(orders=7.0))
    done = onje("replay", decision)
    assert done.exit_code == 1
    assert "features.orders: 7.0 then, 2.0 now" in done.stdout
    told = json.loads(onje("replay", decision, "--json").stdout)
    assert told["differences"] == [{"where": "features.orders", "then": 7.0, "now": 2.0}]


def test_a_decision_is_rendered(shop, tmp_path):
    decision, out = decided(shop), tmp_path / "mail.html"
    done = onje("render", decision, "--locale", "ko", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert "장바구니" in out.read_text("utf-8")
    assert "{{unsubscribe_url}}" in done.stderr
    printed = onje("render", decision, "--product-url", "https://shop.example/{id}")
    assert "Still waiting in your cart." in printed.stdout
    assert 'href="https://shop.example/bread"' in printed.stdout


def test_what_cannot_be_rendered_is_explained(shop):
    waits = shop.service.decide("waits", "bob", emails=["cart_reminder", "checkout_left"])
    with pytest.raises(NotReadyError, match="is to wait"):
        raise onje("render", waits["decision_id"]).exception
    with pytest.raises(NotReadyError, match="no decision x"):
        raise onje("render", "x").exception


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--locale", "fr"], "no sentences in fr; there are en, ko"),
        (["--out", "/nonexistent/x.html"], "cannot be written"),
        (["--product-url", "javascript:alert({id})"], "a link is https"),
        (["--product-url", " javascript:alert({id})"], "a link is https"),
        (["--product-url", "java\tscript:alert({id})"], "a link is https"),
        (["--product-url", "data:text/html,{id}"], "a link is https"),
    ],
)
def test_a_wrong_call_of_render_ends_in_2(shop, words, said):
    done = onje("render", decided(shop), *words)
    assert done.exit_code == 2
    assert said in done.stderr.replace("\n", " ")


def test_a_link_may_be_a_path(shop):
    done = onje("render", decided(shop), "--product-url", "/p?id={id}")
    assert 'href="/p?id=bread"' in done.stdout
