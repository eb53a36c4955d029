"""Every type that is written in sets arrives as SQLAlchemy itself writes it, by each way to the server."""

import traceback
from datetime import UTC, datetime, time

import pytest
from sqlalchemy import insert, null, select
from sqlalchemy.dialects.postgresql import BitString, Range

from dal.errors import DataException
from tests.write_models import NESTED, ODD, Nested, Nesteds, Odd, Odds

MORE = {
    "moment": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "second": datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001 # the column has no zone
    "zoned": time(1, 2, tzinfo=UTC),
    "bits": BitString("1010"),
    "period": Range(datetime(2026, 1, 1, tzinfo=UTC), None),
    "wrapped": "drow",
}


async def _as_sqlalchemy_writes(db, model, rows):
    """Give what each of *rows* becomes by SQLAlchemy's own INSERT, and take it away again."""
    async with db.engine.connect() as connection:
        for row in rows:
            await connection.execute(insert(model.__table__).values(**row))
        return (await connection.execute(_written(model))).all()


def _written(model):
    return select(*(c for c in model.__table__.columns if c.name != "pickled")).order_by(model.__table__.c.id)


async def _rows(db, model):
    async with db.engine.connect() as connection:
        return (await connection.execute(_written(model))).all()


@pytest.mark.parametrize("name", [*ODD, *MORE])
async def test_a_value_and_null_arrive_as_sqlalchemy_writes_them(tables, way, name):
    value = (ODD | MORE)[name]
    empty = null() if name in {"document", "letter"} else None
    rows = [{"id": 1, name: value}, {"id": 2, name: empty}, {"id": 3, name: value}]
    expected = await _as_sqlalchemy_writes(tables, Odd, rows)
    await Odds(tables).insert_many(rows)
    assert await _rows(tables, Odd) == expected


async def test_all_types_arrive_together(tables, way):
    rows = [{"id": number, **ODD, **MORE} for number in range(3)]
    expected = await _as_sqlalchemy_writes(tables, Odd, rows)
    await Odds(tables).upsert_many(rows)
    await Odds(tables).upsert_many(rows)
    await Odds(tables).update_many(rows)
    assert await _rows(tables, Odd) == expected


async def test_a_pickled_value_comes_back(tables, way):
    [row] = await Odds(tables).insert_many([{"id": 1, "pickled": {"a": [1]}}], returning=[Odd.pickled])
    assert row.pickled == {"a": [1]}


@pytest.mark.parametrize("name", NESTED)
async def test_what_is_no_element_of_an_array_arrives_as_sqlalchemy_writes_it(tables, way, name):
    rows = [{"id": 1, name: None}, {"id": 2, name: NESTED[name]}, {"id": 3, name: NESTED[name]}]
    expected = await _as_sqlalchemy_writes(tables, Nested, rows)
    await Nesteds(tables).insert_many(rows)
    assert await _rows(tables, Nested) == expected
    await Nesteds(tables).upsert_many(rows)
    await Nesteds(tables).update_many(rows)
    assert await _rows(tables, Nested) == expected


async def test_a_json_null_is_no_sql_null(tables, way, outside):
    await Odds(tables).insert_many([{"id": 1, "document": None}, {"id": 2, "document": null()}])
    assert await outside.fetchval("SELECT array_agg(document IS NULL ORDER BY id) FROM odd") == [False, True]


@pytest.mark.parametrize(
    ("name", "value"),
    [("small", "secret"), ("money", "secret"), ("key", "secret"), ("day", "secret"), ("small", 99_999)],
)
async def test_what_is_of_another_type_is_refused_and_not_shown(tables, way, name, value):
    with pytest.raises(DataException) as caught:
        await Odds(tables).insert_many([{"id": 1, name: value}])
    assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("value", ["abcde", "abcdefghij"])
async def test_what_is_too_long_is_refused_and_not_cut(tables, way, value):
    for name in ("code", "fixed"):
        with pytest.raises(DataException):
            await Odds(tables).insert_many([{"id": 1, name: value}])
    with pytest.raises(DataException):
        await Nesteds(tables).insert_many([{"id": 1, "names": [value]}])
