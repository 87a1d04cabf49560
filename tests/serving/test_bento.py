from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

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
def bento(environment):
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


def wait_until_ready(service, address):
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and service.poll() is None:
        try:
            if httpx.get(f"{address}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail("the built bundle did not start")


def test_a_built_bundle_starts_and_answers(address):
    question = {"request_id": "1", "customer_id": "nobody"}
    answer = httpx.post(f"{address}/v1/decide", json=question)
    assert (answer.status_code, answer.json()["action"]) == (200, "wait")
    assert httpx.post(f"{address}/v1/decide", json=question).content == answer.content


def test_the_figures_are_there_and_name_no_customer(address):
    httpx.post(f"{address}/v1/decide", json={"request_id": "2", "customer_id": "nobody"})
    httpx.get(f"{address}/v1/customers/customer-1723")
    figures = httpx.get(f"{address}/metrics").text
    assert 'onje_decisions_total{action="wait"' in figures
    assert "1723" not in figures


def test_the_description_is_ours(address):
    assert httpx.get(f"{address}/v1/docs").status_code == 200
    assert json.loads(httpx.get(f"{address}/v1/openapi.json").content)["info"]["title"] == "Onje"


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/v1/decisions/1/2/3"])
def test_a_path_that_is_not_there_is_told_in_our_shape(address, path):
    answer = httpx.post(f"{address}{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_path")
    answer = httpx.get(f"{address}/v1/decide")
    assert (answer.status_code, answer.json()["code"]) == (405, "no_such_method")


def test_a_customer_id_may_hold_a_slash(address):
    told = {"customer_id": "shop/1723", "kind": "view"}
    assert httpx.post(f"{address}/v1/events", json={"events": [told]}).json()["accepted"] == 1
    answer = httpx.get(f"{address}/v1/customers/shop%2F1723")
    assert (answer.status_code, answer.json()["customer_id"]) == (200, "shop/1723")


def test_what_the_server_writes_names_no_customer(address, elsewhere):
    path = f"{address}/v1/customers/customer-1723"
    assert httpx.get(path).status_code == 404
    assert httpx.post(f"{path}?customer_id=customer-1723").status_code == 405
    told = {"customer_id": "customer-1723", "kind": "no such kind"}
    assert httpx.post(f"{address}/v1/events", json={"events": [told]}).json()["rejected"]
    asked = {"request_id": "3", "customer_id": "customer-1723"}
    assert httpx.post(f"{address}/v1/decide", json=asked).status_code == 200
    written = (elsewhere / "log").read_text("utf-8")
    assert "onje" in written.lower()
    assert "1723" not in written
