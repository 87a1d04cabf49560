"""S1: what the description of the API draws, 2,000 cases per operation, all checks."""

from __future__ import annotations

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.security.asked import DESCRIPTION, OPERATIONS

API = schemathesis.openapi.from_dict(DESCRIPTION)
CASES = [25, pytest.param(2_000, marks=pytest.mark.long)]


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_5xx_and_no_status_that_is_not_declared(service, path, method, cases):
    declared = set(DESCRIPTION["paths"][path][method]["responses"])
    seen = Counter()

    @settings(
        max_examples=cases, deadline=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=API[path][method].as_strategy())
    def ask(case):
        request = case.as_transport_kwargs(base_url="http://onje")
        del request["cookies"]  # httpx keeps those at the client; nothing here reads any
        if isinstance(request.get("data"), str | bytes):  # httpx calls a body as it is `content`
            request["content"] = request.pop("data")
        answer = service.send(**request)
        seen[str(answer.status_code)] += 1
        # What a schema cannot say (an e-mail of this name, earliest before deadline) is refused.
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    ask()
    assert not [status for status in seen if status >= "500"]
    assert seen.keys() <= declared
    assert sum(seen.values()) >= min(cases, 20)
