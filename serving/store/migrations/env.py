"""Runs the migrations in the transaction that is given; alembic executes this file."""

from __future__ import annotations

from alembic import context

# Nothing is configured here, and no log either: whoever opens the store has the transaction.
context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
