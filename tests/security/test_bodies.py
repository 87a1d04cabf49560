"""S5: bodies that would be executed, unpacked or fetched elsewhere are refused."""

from __future__ import annotations

import os
import pickle
import socket
from pathlib import Path

import pytest

from tests.security.asked import OPERATIONS, body_of, request_of, texts_of

PICKLES = [
    "application/vnd.bentoml+pickle", "application/pickle", "application/x-pickle",
    "application/octet-stream", "application/python-pickle", "application/vnd.bentoml.pickle",
]  # fmt: skip
URLS = [
    "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:1/x", "https://example.com/a.pkl",
    "file:///etc/passwd", "ftp://example.com/x", "gopher://127.0.0.1:6379/_FLUSHALL",
    "s3://bucket/key", "jar:http://example.com!/x", "\\\\\\\\example.com\\\\share",
]  # fmt: skip
WITH_BODY = [(path, method) for path, method in OPERATIONS if body_of(path, method) is not None]


class Executed:
    """Unpickled, this writes a file."""

    def __init__(self, proof: Path) -> None:
        self._proof = proof

    def __reduce__(self):
        return os.mkdir, (str(self._proof),)


def test_the_pickle_of_these_tests_would_be_executed(tmp_path):
    pickle.loads(pickle.dumps(Executed(tmp_path / "proof")))
    assert (tmp_path / "proof").is_dir()


@pytest.mark.parametrize("kind", [*PICKLES, "application/json", "application/x+json"])
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_pickle_is_loaded(service, outward, tmp_path, path, method, kind):
    told = request_of(path, method)
    told.pop("json", None)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        body = pickle.dumps(Executed(tmp_path / "proof"), protocol)
        headers = {"Content-Type": kind, "Payload-Container": "default", "Kwarg-Payloads": "1"}
        answer = service.send(**told, content=body, headers=headers)
        if body_of(path, method) is not None:
            assert answer.status_code == (422 if "json" in kind else 415)
        assert answer.status_code < 500
    assert not (tmp_path / "proof").exists()
    assert not outward


@pytest.mark.parametrize(("path", "method"), WITH_BODY)
def test_forms_and_files_are_refused(service, outward, path, method):
    told = request_of(path, method)
    body = told.pop("json")
    for more in (
        {"files": {"file": ("x.json", b"{}", "application/json")}},
        {"files": {"url": ("http://127.0.0.1:1/x", b"http://127.0.0.1:1/x")}},
        {"data": {"url": "http://127.0.0.1:1/x"}},
        {"content": str(body), "headers": {"Content-Type": "application/x-yaml"}},
        {"content": str(body), "headers": {"Content-Type": "text/json"}},
    ):
        answer = service.send(**told, **more)
        assert (answer.status_code, answer.json()["code"]) == (415, "not_json")
    assert not outward


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_an_address_in_a_text_is_not_looked_up(service, outward, path, method):
    for where, place in texts_of(path, method):
        for url in URLS:
            assert service.send(**request_of(path, method, where, place, url)).status_code < 500
    assert not outward


def test_the_guard_sees_who_calls_somebody(outward):
    with pytest.raises(OSError, match="shut"):
        socket.create_connection(("example.com", 80))
    with socket.socket() as one, pytest.raises(OSError, match="shut"):
        one.connect(("127.0.0.1", 1))
    assert [what for what, _ in outward] == ["getaddrinfo", "connect"]
