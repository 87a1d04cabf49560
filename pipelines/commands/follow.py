"""Decide unasked, and hand the decisions out."""

from __future__ import annotations

from typing import Annotated

import typer


def follow(
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, and end.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be decided now; nothing is kept or sent."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print summaries as JSON lines.")] = False,
) -> None:
    """Decide unasked, and hand the decisions to the outputs of onje.toml.

    Whoever an event, a deadline, a plan of the night or a step of a workflow makes due is decided
    on within a minute. It may run twice, and may be killed: nothing is lost, and nothing decided
    twice. SIGTERM and Ctrl-C end it when what was begun is done. Every minute a line says what was
    done. See docs/operate-follow.md.

    Examples:

      onje follow

      onje follow --once --json

      onje follow --dry-run
    """
    import json
    import logging
    import os
    import sys
    from datetime import UTC, datetime
    from functools import partial

    from prometheus_client import CollectorRegistry

    from pipelines.console import say, show, show_rows
    from pipelines.delivering import Deliverer
    from pipelines.effective import read_settings
    from pipelines.follow import Follower
    from pipelines.follow_metrics import FollowMetrics, serve_metrics
    from pipelines.following import Following, ended_by_signals
    from pipelines.installation import opened
    from pipelines.outputs.opening import host_of, outputs_of
    from pipelines.root_secret import root_secret
    from serving.logs import write_logs
    from serving.opening import open_live

    with opened() as onje:
        at, settings, secret = onje.places, onje.settings, root_secret(onje.places)
    registry = CollectorRegistry()
    live = open_live(
        home=at.home,
        store_url=at.store_url,
        read=partial(read_settings, at.settings_file),
        clock=lambda: datetime.now(UTC),
        registry=registry,
        secret=secret,
    )
    try:
        follower = Follower(live, settings.follow, settings.outputs)
        if dry_run:
            rows = list(follower.rehearsed())
            show_rows(rows, as_json=as_json, title="What would be decided now")
            return
        outputs = outputs_of(
            settings.outputs, settings.outbound, environment=os.environ, secret=secret
        )
        log = logging.getLogger("onje")
        log.setLevel(logging.INFO)
        write_logs(settings.service.log, sys.stderr)
        following = Following(
            live,
            follower,
            Deliverer(live, outputs, settings.outputs, clock=lambda: datetime.now(UTC)),
            FollowMetrics.on(registry),
            tell=lambda told: (
                print(json.dumps(told), flush=True)
                if as_json
                else log.info("decided unasked", extra={"told": told})
            ),
        )
        serve_metrics(settings.follow.metrics_port, registry)
        places = ", ".join(f"{n} ({host_of(one.url)})" for n, one in settings.outputs.items())
        if not once:
            say(f"Onje decides unasked and tells {places or 'nobody'}; Ctrl-C ends it.")
        with ended_by_signals(following.stop):
            whole = following.run_once() if once else following.run()
        if once:
            show(whole.told(), as_json=as_json, title="Decided unasked")
    finally:
        live.store.close()


def add_to(app: typer.Typer) -> None:
    app.command("follow")(follow)
