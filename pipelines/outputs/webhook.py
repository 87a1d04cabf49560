"""A signed POST to an address of the merchant's, as the Standard Webhooks specification has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pipelines.outbound import Refused, Road, Unreachable
from pipelines.outputs.kinds import Letter, Told
from pipelines.signatures import signed

GONE, TOO_MANY, BUSY = 410, 429, 503
LONGEST_ASKED_S = 86_400.0


@dataclass(frozen=True)
class Webhook:
    """2xx takes it, 410 wants no more, anything else is tried again. Redirects are not followed."""

    url: str
    secret: bytes = field(repr=False)
    road: Road
    timeout_s: float

    @property
    def address(self) -> str:
        return self.url

    def hand_over(self, letter: Letter, *, now: datetime) -> Told:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Onje",
            **signed(self.secret, identity=letter.identity, at=now, body=letter.body),
        }
        try:
            answer = self.road.post(self.url, letter.body, headers, timeout_s=self.timeout_s)
        except (Refused, Unreachable) as problem:
            return Told(False, str(problem))
        status = str(answer.status)
        if 200 <= answer.status < 300:
            return Told(True, status)
        if 300 <= answer.status < 400:
            return Told(False, f"{status}: it leads elsewhere, and redirects are not followed")
        after = answer.headers.get("retry-after", "")
        is_asked = answer.status in (TOO_MANY, BUSY) and after.isascii() and after.isdigit()
        wait_s = min(float(after), LONGEST_ASKED_S) if is_asked else 0.0
        return Told(False, status, wants_no_more=answer.status == GONE, after_s=wait_s)
