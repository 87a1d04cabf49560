"""Start the service."""

from __future__ import annotations

import typer


def serve() -> None:
    """Start the service on what was published; Ctrl-C stops it.

    Listens on 127.0.0.1:3000 unless ONJE_HOST and ONJE_PORT say otherwise. Callers need a key:
    see onje keys add.

    Examples:

      onje serve

      ONJE_PORT=8080 onje serve
    """
    import os
    from datetime import UTC, datetime

    from pipelines.console import say
    from pipelines.installation import opened
    from pipelines.keys import warnings
    from pipelines.places import places, refuse_a_lost_store
    from pipelines.serve import SERVICE, command, environment, refuse_a_taken_port

    refuse_a_lost_store(places(os.environ))
    with opened() as onje:  # faults of settings and store are told here, not by a worker
        at = onje.places
        warned = warnings(onje.store, at.host, now=datetime.now(UTC))
    refuse_a_taken_port(at)
    say(f"Onje listens on http://{at.host}:{at.port} (API: /v1/docs); Ctrl-C stops it.")
    for line in warned:
        say(f"Note: {line}.")
    words = command(at, SERVICE)
    os.execve(words[0], words, environment(at))


def add_to(app: typer.Typer) -> None:
    app.command("serve")(serve)
