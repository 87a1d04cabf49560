"""Start the service as a process of its own and wait until it is ready."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from features.errors import NotReadyError
from pipelines.places import Places

ROOT = Path(__file__).parent.parent
READY_WITHIN_S = 60.0
STOPS_WITHIN_S = 15.0
SERVICE = "pipelines.service:Onje"


def command(at: Places, service: str) -> list[str]:
    """The command line that serves this installation by `service` (module:name)."""
    bentoml = Path(sys.executable).with_name("bentoml")
    return [
        str(bentoml), "serve", service, "--working-dir", str(ROOT),
        "--host", at.host, "--port", str(at.port),
    ]  # fmt: skip


def refuse_a_taken_port(at: Places) -> None:
    """NotReadyError where somebody listens there already."""
    family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((at.host, at.port))
        except OSError as problem:
            raise NotReadyError(
                f"nothing can listen on {at.host}:{at.port}: {problem.strerror}; stop what does, "
                "or set ONJE_PORT to a free port"
            ) from problem


def environment(at: Places) -> dict[str, str]:
    """The environment of the service: its home, one thread a worker, nothing that phones home.

    Frames of so few rows gain nothing from threads of Polars' own, and workers share processors.
    """
    quiet = {
        "POLARS_MAX_THREADS": os.environ.get("POLARS_MAX_THREADS", "1"),
        "OMP_NUM_THREADS": "1",
        "BENTOML_DO_NOT_TRACK": "True",
        # Where its processes count together. Each service that starts empties it, so that two of
        # them on one machine must not share it.
        "BENTOML_HOME": os.environ.get("BENTOML_HOME", str(at.home / "bentoml")),
        "OTEL_SDK_DISABLED": os.environ.get("OTEL_SDK_DISABLED", "true"),
        "ONJE_HOME": str(at.home),
        "ONJE_SETTINGS": str(at.settings_file),
        "ONJE_STORE_URL": at.store_url,
    }
    return {**os.environ, **quiet}


@dataclass(frozen=True)
class Running:
    """A service that was ready, and where it writes."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def stay(self) -> None:
        """Return only when the service ends; NotReadyError says how it did."""
        code = self.process.wait()
        raise NotReadyError(f"the service ended with exit code {code}; its log is {self.log}")


@contextmanager
def running(at: Places, *, log: Path, service: str) -> Iterator[Running]:
    """A service that answers; it is stopped at the end.

    Raises NotReadyError when it is not ready in a minute, with where its log is.
    """
    refuse_a_taken_port(at)
    with log.open("ab") as sink:
        process = subprocess.Popen(
            command(at, service),
            env=environment(at),
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    address = f"http://{at.host}:{at.port}"
    try:
        _wait_until_ready(process, address, log)
        yield Running(address, process, log)
    finally:
        _stop(process)


@contextmanager
def beside(at: Places, *, log: Path) -> Iterator[str]:
    """MLflow's pages on these models, as their address; nobody waits for them to start."""
    address = "http://127.0.0.1:5000"
    command = [
        str(Path(sys.executable).with_name("mlflow")), "server", "--workers", "1",
        "--host", "127.0.0.1", "--port", "5000",
        "--backend-store-uri", f"sqlite:///{at.home / 'mlflow.db'}",
        "--default-artifact-root", (at.home / "artifacts").as_uri(),
    ]  # fmt: skip
    if at.tracking_uri:
        yield at.tracking_uri
        return
    with log.open("ab") as sink:
        pages = subprocess.Popen(command, stdout=sink, stderr=sink, start_new_session=True)
    try:
        yield address
    finally:
        _stop(pages)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise NotReadyError(
                f"the service ended with exit code {process.returncode}; its log is {log}. "
                "If the port is taken, set ONJE_PORT to a free one"
            )
        try:
            if httpx.get(f"{address}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise NotReadyError(f"the service is not ready after {READY_WITHIN_S:.0f} s; see {log}")
