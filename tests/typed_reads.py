"""What type checkers must find of reads; never run, only checked, by mypy and by basedpyright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict, assert_type

import msgspec
from pydantic import BaseModel
from sqlalchemy import func, select, text

from dal import Database
from dal.demo.models import Order
from dal.demo.repositories import Orders
from dal.keyset import Page


@dataclass
class OrderCard:
    id: int


class OrderStruct(msgspec.Struct):
    id: int


class OrderModel(BaseModel):
    id: int


class OrderTuple(NamedTuple):
    id: int


class OrderDict(TypedDict):
    id: int


async def entities(orders: Orders) -> None:
    assert_type(await orders.get(1), Order | None)
    assert_type(await orders.get_one(1), Order)
    assert_type(await orders.list(Order.id > 1), Sequence[Order])
    assert_type(await orders.claim(1), Sequence[Order])


async def projections(orders: Orders) -> None:
    assert_type(await orders.get(1, into=OrderCard), OrderCard | None)
    assert_type(await orders.get(1, into=OrderStruct), OrderStruct | None)
    assert_type(await orders.get_one(1, into=OrderModel), OrderModel)
    assert_type(await orders.get_many([1], into=OrderTuple), Sequence[OrderTuple | None])
    assert_type(await orders.list(Order.id > 1, into=OrderCard), Sequence[OrderCard])
    assert_type(await orders.list(into=OrderDict), Sequence[OrderDict])
    assert_type(await orders.claim(1, into=OrderCard), Sequence[OrderCard])


async def values(orders: Orders) -> None:
    assert_type(await orders.get(1, into=Order.status), str | None)
    assert_type(await orders.list(into=Order.id), Sequence[int])
    assert_type(await orders.list(into=func.count(Order.id)), Sequence[int])
    assert_type(await orders.exists(1), bool)


async def pages(orders: Orders) -> None:
    assert_type(await orders.page(limit=1), Page[Order])
    assert_type(await orders.page(Order.id > 1, limit=1, into=OrderCard), Page[OrderCard])
    assert_type((await orders.page(limit=1, into=OrderCard)).items, Sequence[OrderCard])


async def streams(orders: Orders) -> None:
    async with orders.stream(Order.id > 1) as entities, orders.stream(into=OrderCard) as cards:
        assert_type([each async for each in entities], list[Order])
        assert_type([each async for each in cards], list[OrderCard])


async def others(orders: Orders, db: Database) -> None:
    assert_type(await orders.json(into=OrderCard), bytes)
    assert_type(await orders.get_json(1, into=OrderModel), bytes | None)
    assert_type(await db.select_into(OrderCard, text("SELECT 1 AS id")), list[OrderCard])
    assert_type(await db.select_into(int, select(Order.id)), list[int])
