"""A service with a customer, webhooks, and nothing that may leave the machine."""

from __future__ import annotations

import socket

import pytest

from pipelines.hooks import generic
from tests.serving.api.service import publish, running

SECRET = b"a secret of the shop's own"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running(tmp_path_factory.mktemp("home"), hooks=[generic.hook([SECRET])]) as service:
        publish(service)
        yield service


@pytest.fixture
def outward(monkeypatch):
    """What was asked of the network while this stands: names looked up, addresses connected to."""
    asked = []

    def note(what):
        def refused(*given, **_more):
            asked.append((what, given[-1] if what == "connect" else given[0]))
            raise OSError(f"{what} is shut in this test")

        return refused

    monkeypatch.setattr(socket.socket, "connect", note("connect"))
    monkeypatch.setattr(socket.socket, "connect_ex", note("connect"))
    monkeypatch.setattr(socket, "getaddrinfo", note("getaddrinfo"))
    monkeypatch.setattr(socket, "gethostbyname", note("gethostbyname"))
    return asked
