from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from serving.app import create_app
from tests.serving.api.service import publish, running

# What the app says of itself does not depend on what is opened when it starts.
DESCRIPTION = create_app(lambda: None, routers=[]).openapi()
API = schemathesis.openapi.from_dict(DESCRIPTION)
OPERATIONS = [
    (path, method) for path, methods in DESCRIPTION["paths"].items() for method in methods
]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running(tmp_path_factory.mktemp("home")) as service:
        publish(service)
        yield service


# Shrinking a failure takes minutes, the failing case is short enough as it is.
QUICK = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=HealthCheck,
)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_whatever_is_sent_the_answer_is_as_described(service, path, method):
    @QUICK
    @given(case=API[path][method].as_strategy())
    def ask(case):
        request = case.as_transport_kwargs(base_url="http://onje")
        del request["cookies"]  # httpx keeps those at the client; nothing here reads any
        if isinstance(request.get("data"), str | bytes):  # httpx calls a body as it is `content`
            request["content"] = request.pop("data")
        answer = service.send(**request)
        # What a schema cannot say (an e-mail of this name, earliest before deadline) is refused.
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    ask()


def test_every_operation_declares_its_errors_in_the_one_shape():
    for path, method in OPERATIONS:
        answers = DESCRIPTION["paths"][path][method]["responses"]
        errors = {status: answer for status, answer in answers.items() if status >= "400"}
        assert "422" in errors, path
        for answer in errors.values():
            content = answer["content"]["application/json"]  # beside a page, where there is one
            assert content["schema"] == {"$ref": "#/components/schemas/Fault"}, path


def test_what_the_layers_above_bring_is_mounted():
    from fastapi import APIRouter

    router = APIRouter()
    router.get("/page")(lambda: "a page")
    assert "/page" in create_app(lambda: None, routers=[router]).openapi()["paths"]
