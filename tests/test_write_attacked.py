"""Rows that nobody should give, and tables that do more than hold rows."""

from collections import defaultdict
from typing import Any

import pytest
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import Mapped, composite, mapped_column

from dal import Repository, UnitOfWork
from dal.errors import DALError, WriteError
from tests import write_models as models
from tests.looking import count

SECRET = "sesame-open"


class Bag(models.Base):
    """Holds a document that tells of its changes, and two columns that are one value."""

    __tablename__ = "bag"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    things: Mapped[Any] = mapped_column(MutableDict.as_mutable(JSONB))
    x: Mapped[int] = mapped_column(default=0)
    y: Mapped[int] = mapped_column(default=0)
    point: Mapped[Any] = composite(lambda x, y: (x, y), x, y)


class Bags(Repository[Bag]):
    """Bags."""


class Sack(UnitOfWork):
    """Holds bags."""

    bags: Bags


async def test_a_mutable_document_still_tells_of_its_changes_after_an_upsert(tables):
    await Bags(tables).insert_many([{"id": 1, "things": {"a": 1}}])
    async with Sack(tables) as sack:
        bag = await sack.bags.get_one(1)
        await sack.bags.upsert_many([{"id": 1, "things": {"a": 2}}])
        bag.things["b"] = 3
    assert (await Bags(tables).get_one(1)).things == {"a": 2, "b": 3}


async def test_a_composite_is_fresh_after_an_update(tables):
    await Bags(tables).insert_many([{"id": 1, "things": {}}])
    async with Sack(tables) as sack:
        bag = await sack.bags.get_one(1)
        assert bag.point == (0, 0)
        await sack.bags.update_many([{"id": 1, "x": 5}])
        assert (bag.x, bag.point) == (5, (5, 0))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("column", "value"),
    [("document", {SECRET: object()}), ("old_key", SECRET), ("lower", 5), ("bits", SECRET), ("money", SECRET)],
)
@pytest.mark.parametrize("method", ["insert_many", "upsert_many"])
async def test_a_misfit_has_a_name_and_no_value(tables, outside, column, value, method):
    with pytest.raises(DALError) as caught:
        await getattr(models.Odds(tables), method)([{"id": 1, column: None}, {"id": 2, column: value}])
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"
    assert await count(outside, "odd") == 0


async def test_a_defaultdict_is_not_made_to_guess(tables, outside):
    rows = [defaultdict(int, {"row": "a", "number": 1}), defaultdict(int, {"row": "a"})]
    with pytest.raises(WriteError, match=r"^row 2 lacks 'number'"):
        await models.Seats(tables).insert_many(rows)
    assert rows[1] == {"row": "a"}
    assert await count(outside, "place") == 0


@pytest.mark.usefixtures("way")
async def test_a_rule_is_followed_whichever_way_rows_go(tables, outside):
    await outside.execute(
        "CREATE TABLE seen (id int); CREATE RULE seen AS ON INSERT TO place DO ALSO INSERT INTO seen VALUES (2)"
    )
    await models.Seats(tables).insert_many([{"row": "a", "number": 1, "guest": None}])
    assert (await count(outside, "seen"), await count(outside, "place")) == (1, 1)
