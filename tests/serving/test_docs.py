from __future__ import annotations

from serving.docs import PAGE, ROOT, page


def test_the_page_of_emails_is_what_the_code_says():
    assert PAGE.read_text("utf-8") == page(), "type `python -m serving.docs`"


def test_every_setting_of_policy_and_emails_has_a_comment():
    tables = (ROOT / "onje.toml").read_text("utf-8").split("\n[")
    ours = [table for table in tables if table.startswith(("policy]", "emails."))]
    assert len(ours) >= 7
    settings = [line for table in ours for line in table.splitlines() if " = " in line]
    assert [line for line in settings if " # " not in line] == []
