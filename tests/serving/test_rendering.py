"""Decisions as HTML: the page that explains one, the block that a mail may hold."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from serving.rendering.decision_page import decision_page
from serving.rendering.mail_block import UNSUBSCRIBE_URL, mail_block
from serving.rendering.sentences import _catalogue, language_of, languages, reason
from serving.triggers import TRIGGERS
from tests.serving.api.service import CART, publish, running

HOSTILE = '<script>alert("x")</script>'
RECEIPT = {
    "email": "cart_reminder",
    "products": ["mug", "p/1"],
    "slots": {
        "category": None, "interest": None, "coupon": None, "discount": None, "tone": None,
        "region": None, "subject_prefix": None, "list_unsubscribe": True, "legal": "US",
        "elements": [],
    },
    "features": {"order_gap_days_mean": 9.6, "favourite_category": "DAIRY > MILK",
                 "days_since_order": 1234.0},
}  # fmt: skip
SHELF = [
    {"product_id": "p/1", "title": "Tea & cake", "category": "FOOD", "brand": "Ours",
     "price": Decimal("12500.0000"), "currency": "KRW"},
    {"product_id": "mug", "title": None, "category": "HOME > KITCHEN", "brand": None,
     "price": Decimal("9.5000"), "currency": "USD"},
]  # fmt: skip


class Checked(HTMLParser):
    """Collects tags, and fails where one is not closed, or closed that was not open."""

    VOID = ("meta", "br")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.tags, self.links = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def block(receipt=RECEIPT, *, trigger="cart_reminder", language="en", product_url=None):
    return mail_block(receipt, SHELF, trigger=trigger, language=language, product_url=product_url)


def with_slots(**slots):
    return RECEIPT | {"slots": RECEIPT["slots"] | slots}


def test_a_block_has_the_products_in_order_with_prices_and_the_reason():
    html = block()
    Checked(html)
    assert html.index("KITCHEN") < html.index("Tea &amp; cake")
    assert "9.50 USD" in html
    assert "12,500 KRW" in html
    assert "Still waiting in your cart." in html
    assert UNSUBSCRIBE_URL in html
    assert "off" not in html


def test_a_block_is_safe_for_mail_clients():
    html = block(with_slots(discount=0.1, coupon="win-back"))
    checked = Checked(html)
    assert set(checked.tags) <= {"table", "tr", "td", "a", "br", "span"}  # no style, no script
    assert checked.links == [UNSUBSCRIBE_URL]  # nothing is loaded from anywhere
    assert "class=" not in html
    assert len(html.encode()) < 20_000
    many = RECEIPT | {"products": [f"product {n}" for n in range(50)]}
    assert len(block(many, product_url="https://shop.example/p/{id}").encode()) < 40_000


def test_in_korean():
    html = block(with_slots(discount=0.15, subject_prefix="(광고)", legal="KR"), language="ko")
    assert 'lang="ko"' in html
    assert "장바구니" in html
    assert "15% 할인" in html
    assert "12,500원" in html
    assert "수신거부" in html
    assert html.startswith('<!-- the law asks for "(광고)"')


@pytest.mark.parametrize(
    ("slots", "offer"),
    [
        ({"discount": 0.1}, "10 % off"),
        ({"discount": 0.125, "category": "DAIRY > MILK"}, "12.5 % off MILK"),
        ({"coupon": "win-back"}, "Your coupon: win-back"),
        ({"discount": 0.1, "coupon": "spring"}, "10 % off · Your coupon: spring"),
    ],
)
def test_the_offer(slots, offer):
    assert f">{offer}<" in block(with_slots(**slots))


def test_what_a_title_says_is_no_placeholder_of_the_sender():
    shelf = [SHELF[0] | {"title": "{{secret}} {%x%}", "brand": "{{brand}}"}]
    html = mail_block(
        with_slots(coupon="{{c}}") | {"products": ["p/1"]}, shelf,
        trigger="cart_reminder", language="en", product_url="https://{{shop}}/{id}",
    )  # fmt: skip
    Checked(html)
    assert html.replace("{{unsubscribe_url}}", "").replace("{{shop}}", "").count("{") == 0
    assert "&#123;&#123;secret&#125;&#125;" in html
    assert 'href="https://{{shop}}/p%2F1"' in html
    assert UNSUBSCRIBE_URL in html


def test_whatever_is_printed_is_escaped():
    hostile = RECEIPT | {"slots": RECEIPT["slots"] | {"coupon": HOSTILE}, "products": [HOSTILE]}
    html = block(hostile, product_url="https://shop.example/?p={id}")
    Checked(html)
    assert "<script" not in html
    assert "%3Cscript%3E" in html


def test_figures_are_those_of_the_customer():
    said = block(trigger="replenishment", receipt=RECEIPT | {"email": "replenish_now"})
    assert "you order about every 10 days" in said
    assert "1,234 days" in block(trigger="win_back", receipt=RECEIPT | {"email": "win_back_7"})


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_figure_that_is_not_known_is_not_invented(language):
    nothing = RECEIPT | {"features": {}, "email": "win_back_7"}
    assert _catalogue()[language]["plain"] in block(nothing, trigger="win_back", language=language)


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("trigger", sorted(set(TRIGGERS) - {"workflow_step"}))
def test_every_trigger_has_a_sentence_in_every_language(trigger, language):
    assert trigger in _catalogue()[language]["because"]


def test_what_a_language_lacks_is_said_in_english(monkeypatch):
    said = {"en": _catalogue()["en"], "ko": _catalogue()["ko"] | {"because": {}}}
    monkeypatch.setattr("serving.rendering.sentences._catalogue", lambda: said)
    assert reason(["welcome"], "ko", {}).startswith("Welcome!")


@pytest.mark.parametrize(
    ("locale", "language"),
    [("ko-KR", "ko"), ("ko_KR", "ko"), ("KO", "ko"), ("en-GB", "en"), ("fr", "en"), (None, "en")],
)
def test_the_language_of_a_locale(locale, language):
    assert language_of(locale) == language


# The page


@pytest.fixture
def service(tmp_path):
    with running(tmp_path) as service:
        publish(service)
        yield service


def page(service, decision, **headers):
    return service.send(method="GET", url=f"/v1/decisions/{decision}", headers=headers)


def decided(service):
    service.tell(CART)
    return service.decide("r1")


def test_people_get_a_page_and_machines_get_json(service):
    decision = decided(service)["decision_id"]
    browser = page(service, decision, accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert browser.headers["content-type"].startswith("text/html")
    for accept in ("*/*", "application/json", "text/html, application/json", ""):
        machine = page(service, decision, accept=accept)
        assert machine.headers["content-type"] == "application/json"
        assert machine.json()["decision_id"] == decision
    assert service.get(f"/v1/decisions/{decision}?as=page").text == browser.text
    asked = service.send(
        method="GET", url=f"/v1/decisions/{decision}?as=json", headers={"accept": "text/html"}
    )
    assert asked.json()["decision_id"] == decision
    assert service.get(f"/v1/decisions/{decision}?as=pdf").status_code == 422


def test_the_page_says_what_when_why_and_what_else_there_was(service):
    answer = decided(service)
    record = service.get(f"/v1/decisions/{answer['decision_id']}").json()
    html = service.get(f"/v1/decisions/{answer['decision_id']}?as=page").text
    Checked(html)
    text = re.sub(r"<[^>]*>", " ", html)
    assert f"Send {answer['email']}" in text
    assert all(arm["email"] in text for arm in record["receipt"]["arms"])
    for reason_told in answer["because"]:
        assert reason_told["code"] in text
    assert record["receipt"]["settings"][:12] in text
    assert "America/New_York" in text
    assert f"onje replay {answer['decision_id']}" in text


def test_the_page_lists_all_that_shut_the_best_minute(service):
    """A mail of another tool left, so the next one waits: for the cap and for the gap."""
    decided(service)
    service.live.store.cancel(service.decide("r1")["decision_id"])
    service.tell({"customer_id": "ann", "kind": "send", "email": "campaign_of_another_tool"})
    answer = service.decide("r2", emails=["recommendation"])
    record = service.get(f"/v1/decisions/{answer['decision_id']}").json()["receipt"]
    assert {"cap_24h", "min_gap"} <= {one["code"] for one in record["moved_by"]}
    html = service.get(f"/v1/decisions/{answer['decision_id']}?as=page").text
    Checked(html)
    of_best = html.partition("which is shut:")[2].partition("</ul>")[0]
    for one in record["moved_by"]:
        assert one["text"] in of_best and f"<code>{one['code']}</code>" in of_best


def test_emails_that_do_not_apply_are_one_list(service):
    answer = decided(service)
    receipt = service.live.store.decision(answer["decision_id"]).receipt
    others = [arm["email"] for arm in receipt["arms"] if not arm["applies"]]
    html = service.get(f"/v1/decisions/{answer['decision_id']}?as=page").text
    shown, _, rest = html.partition(f"<summary>{len(others)} that do not apply</summary>")
    assert f"<h3>{answer['email']} (chosen)</h3>" in shown
    assert shown.count("<h3>") == len(receipt["arms"]) - len(others) < len(others)
    folded = rest.partition("</details>")[0]
    assert all(f"<li>{name}" in folded for name in others)


def test_the_page_loads_nothing_and_fits_a_phone(service):
    answer = page(service, decided(service)["decision_id"], accept="text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "Accept" in answer.headers["vary"]
    checked = Checked(answer.text)
    assert checked.links == []
    assert "script" not in checked.tags
    assert 'content="width=device-width' in answer.text
    assert "table" not in checked.tags  # nothing wider than the screen
    assert len(answer.content) < 200_000


def test_a_page_of_a_wait(service):
    waits = service.decide("r1")
    html = service.get(f"/v1/decisions/{waits['decision_id']}?as=page").text
    Checked(html)
    assert "<h1>Wait</h1>" in html
    assert "Ask again after" in html


def test_what_a_customer_is_called_is_escaped(service):
    told = CART | {"customer_id": HOSTILE, "product_id": HOSTILE}
    service.tell(told)
    waits = service.decide("r1", HOSTILE)
    html = service.get(f"/v1/decisions/{waits['decision_id']}?as=page").text
    Checked(html)
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_a_page_of_an_earlier_release_leaves_out_what_it_did_not_keep(service):
    answer = service.decide("r1", "ann")
    made = service.live.store.decision(answer["decision_id"])
    assert "Why" in decision_page(made)
    for lacks in made.receipt:
        kept = {name: value for name, value in made.receipt.items() if name != lacks}
        assert made.decision_id in decision_page(replace(made, receipt=kept))
    arms = [{"email": arm["email"]} for arm in made.receipt["arms"]]
    assert made.decision_id in decision_page(replace(made, receipt={"arms": arms}))
