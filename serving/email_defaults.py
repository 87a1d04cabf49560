"""What holds for each e-mail that does not say otherwise in its own table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EMAIL_DEFAULTS = "email_defaults"


def with_email_defaults(written: Mapping[str, Any]) -> dict[str, Any]:
    """`written` with the table [email_defaults] laid under each table [emails.NAME].

    Anything that is no table is left for the validation to tell.
    """
    result = dict(written)
    defaults = result.get(EMAIL_DEFAULTS, {})
    emails = result.get("emails")
    if not isinstance(defaults, Mapping):
        return result
    result.pop(EMAIL_DEFAULTS, None)
    if not isinstance(emails, Mapping):
        return result
    result["emails"] = {
        name: {**defaults, **email} if isinstance(email, Mapping) else email
        for name, email in emails.items()
    }
    return result
