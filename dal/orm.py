"""The declarative base: stable names for every constraint, types that mean what they say, attributes to await.

A constraint without a name gets one that differs between databases, and a migration cannot drop it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Any, ClassVar, Final

from sqlalchemy import DateTime, MetaData, Text
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.util.concurrency import greenlet_spawn

NAMING_CONVENTION: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class AwaitableAttrs(AsyncAttrs):
    """SQLAlchemy's `AsyncAttrs`, which gives what is loaded as it is: some 1 us, where a greenlet of its own takes 13.

    For a declarative base of your own, in the place of `AsyncAttrs`.
    """

    @property
    def awaitable_attrs(self) -> _Awaitable:  # type: ignore[override] # it can be asked for the same
        """Every attribute of the entity as an awaitable, which loads it if need be."""
        return _Awaitable(self)


class Base(AwaitableAttrs, DeclarativeBase):
    """A declarative base whose `str` is `text` and whose `datetime` keeps its time zone."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {str: Text, datetime: DateTime(timezone=True)}


class _Awaitable:
    # An attribute of the entity may have any name but one of these.
    __slots__ = ("__entity",)

    def __init__(self, entity: Any) -> None:
        self.__entity = entity

    def __getattr__(self, name: str) -> Awaitable[Any]:
        return _value(self.__entity, name)


async def _value(entity: Any, name: str) -> Any:
    # A property of the class may load something, whatever else has its name.
    if name in entity.__dict__ and name in entity.__mapper__.class_manager:
        value = entity.__dict__[name]
        # Which is what SQLAlchemy has there of a write-only collection, too.
        if value is not True:
            return value
    return await greenlet_spawn(getattr, entity, name)
