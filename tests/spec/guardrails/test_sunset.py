"""Who stayed silent after the last step of a workflow gets no marketing until they do something."""

from __future__ import annotations

from tests.serving.shop import shop
from tests.spec.guardrails.reading import holds

SILENT = """
    sunset | sunset_by    | sunset_email   | sunset_days | goes      | because
    no     | -            | -              | -           | Tue 11:00 | -
    yes    | re_engagement| opt_in_renewal | 30          | no        | they have done nothing in the 30 days since opt_in_renewal, the last step of re_engagement; no marketing leaves until they do
    -      | -            | -              | -           | no        | sunset
"""  # noqa: E501
SERVED = """
    sunset | goes      | because
    yes    | Tue 11:00 | -
"""


def test_sunset():
    holds("sunset", SILENT)


def test_other_mail_goes_on():
    for mail_class in ("service", "transactional"):
        holds("sunset", SERVED, shop({}, {"cart_reminder": {"mail_class": mail_class}}))
