from __future__ import annotations

import pytest

from tests.serving.api.service import publish, running


@pytest.fixture
def service(tmp_path):
    with running(tmp_path) as service:
        publish(service)
        yield service
