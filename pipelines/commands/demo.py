"""Run the whole loop on a year of groceries, up to a decision."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop after the first answer.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the decision as one JSON line, last.")
    ] = False,
) -> None:
    """Run the whole loop on a year of groceries, up to a decision.

    Works in ONJE_HOME (./.onje). What is there already is not done again. Without --once the
    service stays up, with MLflow beside it, until Ctrl-C.

    Examples:

      onje demo

      onje demo --once --json
    """
    import json
    import signal
    from contextlib import suppress
    from datetime import UTC, datetime

    from pipelines.console import progress, say
    from pipelines.demo import ask, prepare, receipt_of, titles_of, told
    from pipelines.ingest.into_lake import ingest_completejourney
    from pipelines.installation import opened
    from pipelines.keys import demo_key
    from pipelines.serve import SERVICE, beside, running

    # Whoever ends the demo ends its service with it, be it by Ctrl-C or by a signal to terminate.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with opened() as onje:
        with progress(quiet=as_json) as step:
            ready = prepare(onje, ingest=ingest_completejourney, now=datetime.now(UTC), step=step)
        at = onje.places
        key = demo_key(onje.store, now=datetime.now(UTC))
        with running(at, log=at.home / "service.log", service=SERVICE) as service:
            address = service.address
            decision = ask(address, key, ready.customer_id)
            receipt = receipt_of(address, key, decision["decision_id"])
            if as_json:
                print(json.dumps({**decision, "seconds": ready.seconds}), flush=True)
            else:
                print(f"\n{told(decision, receipt, titles_of(onje.lake))}\n", flush=True)
            if not once:
                with beside(at, log=at.home / "mlflow.log") as mlflow:
                    say(_invitation(address, mlflow, key, ready.another_id))
                    with suppress(KeyboardInterrupt):
                        service.stay()


def _invitation(address: str, mlflow: str, key: str, customer: str) -> str:
    question = f'{{"request_id": "NAME", "customer_id": "{customer}", "dry_run": true}}'
    event = (
        f'{{"events": [{{"kind": "cart_add", "customer_id": "{customer}", '
        '"product_id": "1082185", "quantity": 1}]}'
    )
    curl = "curl -s -H \"Authorization: Bearer $ONJE_KEY\" -H 'content-type: application/json'"
    return f"""The service stays up until Ctrl-C:
  API        {address}/v1/docs
  MLflow     {mlflow} (takes some seconds to start)

Nothing applies to household {customer} now. Ask, tell that it put bananas into its cart, ask again.
In another terminal, with a key that is shown here once and holds until the next demo:

  export ONJE_KEY={key}
  {curl} {address}/v1/decide -d '{question.replace("NAME", "mine-1")}'
  {curl} {address}/v1/events -d '{event}'
  {curl} {address}/v1/decide -d '{question.replace("NAME", "mine-2")}'
"""


def add_to(app: typer.Typer) -> None:
    app.command("demo")(demo)
