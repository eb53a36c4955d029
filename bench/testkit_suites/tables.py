"""Twelve related tables with indexes, as a small service has them."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import CreateIndex, CreateTable

METADATA: Final = MetaData()


def _table(name: str, *columns: Any) -> Table:
    key = Column("id", BigInteger, Identity(), primary_key=True)
    created_at = Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())
    return Table(name, METADATA, key, *columns, created_at)


def _of(table: str, *, nullable: bool = False) -> Column[int]:
    return Column(f"{table}_id", BigInteger, ForeignKey(f"{table}.id"), nullable=nullable, index=True)


def _text(name: str, *, length: int = 200, unique: bool = False) -> Column[str]:
    return Column(name, String(length), nullable=False, unique=unique)


def _money(name: str) -> Column[Any]:
    return Column(name, Numeric(12, 2), CheckConstraint(f"{name} >= 0"), nullable=False)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, CheckConstraint(f"{name} >= 0"), nullable=False)


CUSTOMER: Final = _table("customer", _text("name"), _text("email", unique=True), Column("settings", JSONB))
_table("address", _of("customer"), _text("street"), _text("city"), _text("country", length=2))
_table("api_key", _of("customer"), _text("digest", length=64, unique=True), Column("revoked", Boolean, nullable=False))
_table("category", _of("category", nullable=True), _text("name", unique=True))
_table("product", _of("category"), _text("sku", length=40, unique=True), _text("name"), Column("about", Text))
_table("price", _of("product"), _money("amount"), _text("currency", length=3))
_table("stock", _of("product"), _text("warehouse"), _count("pieces"), UniqueConstraint("product_id", "warehouse"))
_ORDER: Final = _table("purchase", _of("customer"), _of("address"), _text("status", length=20))
_table("purchase_line", _of("purchase"), _of("product"), _count("pieces"), _money("amount"))
_table("payment", _of("purchase"), _money("amount"), _text("reference", unique=True))
_table("shipment", _of("purchase"), _text("carrier"), _text("tracking", unique=True))
_EVENT: Final = _table("event", _of("customer", nullable=True), _text("kind"), Column("payload", JSONB, nullable=False))
Index("purchase_open", _ORDER.c.created_at, postgresql_where=_ORDER.c.status == "open")
Index("event_kind_created", _EVENT.c.kind, _EVENT.c.created_at)


def ddl() -> str:
    """Give the statements that make the tables, which `METADATA.create_all` sends too."""
    tables = METADATA.sorted_tables
    indexes = [index for table in tables for index in table.indexes]
    statements: list[CreateTable | CreateIndex] = [*map(CreateTable, tables), *map(CreateIndex, indexes)]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy's
    return ";\n".join(str(statement.compile(dialect=dialect)) for statement in statements)
