from __future__ import annotations

import tomllib

from serving.docs import PAGE, ROOT, page
from serving.email_defaults import EMAIL_DEFAULTS
from serving.settings import EmailSettings


def test_the_page_of_emails_is_what_the_code_says():
    assert PAGE.read_text("utf-8") == page(), "type `python -m serving.docs`"


def test_every_setting_of_an_email_is_explained_once():
    """In the table of the defaults; what an e-mail must say itself is explained by its trigger."""
    told = tomllib.loads((ROOT / "onje.toml").read_text("utf-8"))[EMAIL_DEFAULTS]
    assert {*told, "trigger", "parameters"} == set(EmailSettings.model_fields)
