"""Entities whose primary key has two columns."""

import pytest
from sqlalchemy.orm import joinedload

from dal.demo.models import OrderLine, PartSupply
from dal.demo.repositories import OrderLines, PartSupplies
from dal.errors import NotFound


async def test_get_takes_the_key_as_a_tuple(read_only):
    assert (await PartSupplies(read_only).get((2, 1))).part_id == 2


async def test_get_takes_the_key_by_name(read_only):
    assert (await OrderLines(read_only).get({"line_number": 2, "order_id": 1})).part_id == 2


@pytest.mark.parametrize("key", [(1, 2), {"line_number": 2, "order_id": 1}])
async def test_get_with_an_option_takes_the_key_as_without(read_only, key):
    found = await OrderLines(read_only).get(key, options=[joinedload(OrderLine.part)])
    assert (found.order_id, found.part.id) == (1, 2)


async def test_get_of_half_a_key_that_is_missing_is_none(read_only):
    assert await PartSupplies(read_only).get((2, 9)) is None


async def test_not_found_names_every_column_of_the_key(read_only):
    with pytest.raises(NotFound, match=r"^no PartSupply has the part_id, supplier_id asked for\.$"):
        await PartSupplies(read_only).get_one((9, 9))


async def test_count_counts_rows_with_a_composite_key(read_only):
    assert await PartSupplies(read_only).count(PartSupply.supplier_id == 1) == 2
