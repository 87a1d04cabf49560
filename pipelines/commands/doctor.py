"""Check the installation and say what to do."""

from __future__ import annotations

import typer


def doctor(
    mend: bool = typer.Option(False, "--mend", help="Bring damaged champions back from MLflow."),
    as_json: bool = typer.Option(False, "--json", help="Print a JSON list."),
) -> None:
    """Check the installation and say what to do.

    Looks at Python, packages, disk, port, settings, lake, store and models. Ends in exit code 12
    when something has to be done first.

    Examples:

      onje doctor

      onje doctor --mend
    """
    from pipelines.console import say, show_rows
    from pipelines.doctor import examine
    from pipelines.doctor import mend as bring_back

    if mend:
        from pipelines.installation import opened

        with opened() as onje:
            say(f"brought back from MLflow: {', '.join(bring_back(onje)) or 'nothing needed it'}")
    findings = examine()
    rows = [
        {
            "what": finding.what,
            "state": "fine" if finding.fine else "TO DO",
            "found": finding.found,
            "do": "" if finding.fine else finding.do,
        }
        for finding in findings
    ]
    show_rows(rows, as_json=as_json, title="Onje's installation")
    if not all(finding.fine for finding in findings):
        raise typer.Exit(12)


def add_to(app: typer.Typer) -> None:
    app.command("doctor")(doctor)
