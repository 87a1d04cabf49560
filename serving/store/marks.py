"""Single facts about the store itself, by name."""

from __future__ import annotations

from sqlalchemy import Connection, select

from serving.store.tables import marks
from serving.store.upsert import insert_for


def read_mark(connection: Connection, name: str) -> str | None:
    value: str | None = connection.scalar(select(marks.c.value).where(marks.c.name == name))
    return value


def write_mark(connection: Connection, name: str, value: str) -> None:
    statement = insert_for(connection, marks).values(name=name, value=value)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"value": value})
    )
