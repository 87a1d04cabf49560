"""The slots of a decision as a block of HTML for a mail: tables and inline styles, no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from serving.rendering.sentences import reason, sentence
from serving.rendering.templates import template

# To be replaced by whoever sends: Onje knows no address, and so no link of theirs.
UNSUBSCRIBE_URL = Markup("{{unsubscribe_url}}")
NO_CENTS = frozenset({"KRW", "JPY", "VND"})


@dataclass(frozen=True)
class Shown:
    """A product as the block shows it; `price` "" where it is not known."""

    title: str
    brand: str | None
    price: str
    url: Markup | None


def mail_block(
    receipt: Mapping[str, Any],
    shelf: Sequence[Mapping[str, Any]],
    *,
    trigger: str,
    language: str,
    product_url: str | None,
) -> str:
    """The block for a receipt of a send; `shelf` holds the rows of PRODUCTS that it shows.

    `product_url` is a link in which `{id}` stands for the product's.
    """
    rows = {row["product_id"]: row for row in shelf}
    slots = receipt["slots"]
    products = [
        _shown(product_id, rows.get(product_id, {}), language, product_url)
        for product_id in receipt["products"]
    ]
    return template("mail.html").render(
        locale=language,
        prefix=slots.get("subject_prefix"),
        because=reason([receipt["email"], trigger], language, receipt["features"]),
        offer=_offer(slots, language),
        products=products,
        unsubscribe=sentence("unsubscribe", language, {}),
        unsubscribe_url=UNSUBSCRIBE_URL,
    )


def _shown(
    product_id: str, row: Mapping[str, Any], language: str, product_url: str | None
) -> Shown:
    category = (row.get("category") or product_id).split(" > ")[-1]
    return Shown(
        title=row.get("title") or category,
        brand=row.get("brand"),
        price=_price(row.get("price"), row.get("currency"), language),
        # Other braces are the sender's, who wrote the link.
        url=None
        if product_url is None
        else escape(product_url.replace("{id}", quote(product_id, safe=""))),
    )


def _price(price: Decimal | None, currency: str | None, language: str) -> str:
    if price is None or currency is None:
        return ""
    figure = f"{price:,.0f}" if currency in NO_CENTS else f"{price:,.2f}"
    if (language, currency) == ("ko", "KRW"):
        return f"{figure}원"
    return f"{figure} {currency}"


def _offer(slots: Mapping[str, Any], language: str) -> str:
    """The discount and the coupon, as far as there are any."""
    parts = []
    if slots["discount"]:
        name = "discount_of_category" if slots["category"] else "discount"
        category = (slots["category"] or "").split(" > ")[-1]
        percent = f"{100 * slots['discount']:g}"
        parts.append(sentence(name, language, {"percent": percent, "category": category}))
    if slots["coupon"]:
        parts.append(sentence("coupon", language, {"coupon": slots["coupon"]}))
    return " · ".join(parts)
