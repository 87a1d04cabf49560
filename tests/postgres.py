"""A PostgreSQL server of the tests' own: made in a temporary folder, reached through a socket."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

# Where distributions put what is not on the path.
FOLDERS = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt/postgresql")
REQUIRED = "ONJE_REQUIRE_POSTGRES"


def binaries():
    """The folder of initdb and pg_ctl; None where there is no server to start."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    there = [Path(one).parent for top in FOLDERS for one in Path(top).glob("*/bin/initdb")]
    return max(there, key=lambda folder: folder.parent.name.zfill(4), default=None)


class Server:
    """One cluster; `stop` and `start` it as an operator would."""

    def __init__(self, folder, bin_folder):
        self._bin, self._data, self._sockets = bin_folder, folder / "data", folder
        # The server refuses to be run by root.
        self._user = _unprivileged() if os.getuid() == 0 else None
        if self._user:
            os.chown(folder, *self._user)
        self._numbers = count()
        self._run("initdb", "-D", self._data, "-U", "onje", "-A", "trust", "-E", "UTF8", "-N")

    def _run(self, name, *arguments):
        user, group = self._user or (None, None)
        done = subprocess.run(
            [self._bin / name, *map(str, arguments)],
            user=user, group=group, extra_groups=[] if self._user else None,
            cwd=self._sockets, capture_output=name != "pg_ctl", text=True, timeout=60,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def start(self, **settings):
        # Written to the system, not waited for on the disk: no test pulls the plug.
        settings = {"fsync": "off", "listen_addresses": "''", "max_connections": 200} | settings
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = self._sockets / "log"
        options += f" -k {self._sockets}"
        self._run("pg_ctl", "-D", self._data, "-w", "-s", "-l", log, "-o", options, "start")

    def stop(self):
        """As a crash would: nobody is waited for."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-s", "stop")

    def url(self, database):
        return f"postgresql://onje@/{database}?host={self._sockets}"

    def new_database(self):
        name = f"store{next(self._numbers)}"
        engine = self.engine("postgres")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name)

    def engine(self, database):
        return create_engine(
            self.url(database).replace("postgresql:", "postgresql+psycopg:"),
            isolation_level="AUTOCOMMIT",
        )


@contextmanager
def running():
    """A server that runs; skips where there are no binaries, unless they are required."""
    found = binaries()
    if found is None:
        assert not os.environ.get(REQUIRED), "PostgreSQL's initdb and pg_ctl are not installed"
        pytest.skip("PostgreSQL's server (initdb, pg_ctl) is not installed")
    if not os.environ.get(REQUIRED):
        pytest.importorskip("psycopg", reason="PostgreSQL needs the extra `postgres`")
    # pytest's own folders are closed to the user who runs the server.
    folder = Path(tempfile.mkdtemp(prefix="onje-postgres-"))
    server = Server(folder, found)
    try:
        server.start()
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder)


def _unprivileged():
    names = {user.pw_name: user for user in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return user.pw_uid, user.pw_gid
