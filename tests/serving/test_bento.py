from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from pipelines.keys import make_key
from serving.access.scopes import Scope
from serving.store.store import Store

ROOT = Path(__file__).parents[2]
BENTOML = Path(sys.executable).with_name("bentoml")
READY_WITHIN_S = 90


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    home = tmp_path_factory.mktemp("bento")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "BENTOML_HOME": str(home / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "ONJE_HOME": str(home / "onje"),
    }


@pytest.fixture(scope="module")
def key(environment):
    """A key for whoever asks; made before the service starts, as by `onje keys add`."""
    home = Path(environment["ONJE_HOME"])
    store = Store.open(f"sqlite:///{home / 'store.db'}", patience_s=5)
    _, text = make_key(store, name="", scopes=set(Scope), lasts=None, now=datetime.now(UTC))
    store.close()
    return text


@pytest.fixture(scope="module")
def bento(environment, key):
    """The folder of a bundle that was just built."""
    command = [BENTOML, "build", ROOT, "--output", "tag"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    tag = done.stdout.strip().removeprefix("__tag__:")
    return Path(environment["BENTOML_HOME"]) / "bentos" / tag.replace(":", "/")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def address(bento, environment, elsewhere):
    """Where the built bundle answers, started outside of the checkout; it writes to `log` there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [BENTOML, "serve", bento, "--host", "127.0.0.1", "--port", str(port)]
    log = (elsewhere / "log").open("wb")
    with (
        log,
        subprocess.Popen(
            command, cwd=elsewhere, env=environment, stdout=log, stderr=log
        ) as service,
    ):
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until_ready(service, address)
            yield address
        finally:
            service.terminate()
            service.wait(20)


@pytest.fixture(scope="module")
def ask(key):
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


def wait_until_ready(service, address):
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and service.poll() is None:
        try:
            if httpx.get(f"{address}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail("the built bundle did not start")


def test_a_built_bundle_starts_and_answers(address, ask):
    question = {"request_id": "1", "customer_id": "nobody"}
    answer = ask.post(f"{address}/v1/decide", json=question)
    assert (answer.status_code, answer.json()["action"]) == (200, "wait")
    assert ask.post(f"{address}/v1/decide", json=question).content == answer.content


def test_the_figures_are_there_and_name_no_customer(address, ask):
    ask.post(f"{address}/v1/decide", json={"request_id": "2", "customer_id": "nobody"})
    ask.get(f"{address}/v1/customers/customer-1723")
    figures = ask.get(f"{address}/metrics").text
    assert 'onje_decisions_total{action="wait"' in figures
    assert "1723" not in figures


def test_the_description_is_ours(address, ask):
    assert ask.get(f"{address}/v1/docs").status_code == 200
    assert json.loads(ask.get(f"{address}/v1/openapi.json").content)["info"]["title"] == "Onje"


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/v1/decisions/1/2/3"])
def test_a_path_that_is_not_there_is_told_in_our_shape(address, ask, path):
    answer = ask.post(f"{address}{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_path")
    answer = ask.get(f"{address}/v1/decide")
    assert (answer.status_code, answer.json()["code"]) == (405, "no_such_method")


def test_a_customer_id_may_hold_a_slash(address, ask):
    told = {"customer_id": "shop/1723", "kind": "view"}
    assert ask.post(f"{address}/v1/events", json={"events": [told]}).json()["accepted"] == 1
    answer = ask.get(f"{address}/v1/customers/shop%2F1723")
    assert (answer.status_code, answer.json()["customer_id"]) == (200, "shop/1723")


def test_what_the_server_writes_names_no_customer(address, ask, elsewhere):
    path = f"{address}/v1/customers/customer-1723"
    assert ask.get(path).status_code == 404
    assert ask.post(f"{path}?customer_id=customer-1723").status_code == 405
    told = {"customer_id": "customer-1723", "kind": "no such kind"}
    assert ask.post(f"{address}/v1/events", json={"events": [told]}).json()["rejected"]
    asked = {"request_id": "3", "customer_id": "customer-1723"}
    assert ask.post(f"{address}/v1/decide", json=asked).status_code == 200
    written = (elsewhere / "log").read_text("utf-8")
    assert "onje" in written.lower()
    assert "1723" not in written
