"""The purses of the soak, and what is booked on them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from dal import Database, Repository
from dal.orm import Base

PURSES: Final = 1000
BOOKED_EACH: Final = 5
# Tables of the soak's alone, in the registry that the benchmarks share.
TABLES: Final = ("soak_purse", "soak_booked", "soak_parcel")


class Purse(Base):
    __tablename__ = "soak_purse"
    __table_args__ = (CheckConstraint("balance >= 0", name="balance_not_negative"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    owner: Mapped[str] = mapped_column(unique=True)
    balance: Mapped[int]
    touched: Mapped[datetime]
    note: Mapped[str] = mapped_column(default="")
    booked: Mapped[list[Booked]] = relationship(back_populates="purse")


class Booked(Base):
    __tablename__ = "soak_booked"

    id: Mapped[int] = mapped_column(primary_key=True)
    purse_id: Mapped[int] = mapped_column(ForeignKey("soak_purse.id"), index=True)
    amount: Mapped[int]
    purse: Mapped[Purse] = relationship(back_populates="booked")


class Parcel(Base):
    """What is loaded, and deleted again."""

    __tablename__ = "soak_parcel"

    batch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    note: Mapped[str]


class Purses(Repository[Purse]):
    """The purses."""


class AllBooked(Repository[Booked]):
    """What is booked on them."""


class Parcels(Repository[Parcel]):
    """What is loaded."""


async def create(db: Database) -> None:
    """Make the tables anew, and fill them."""
    tables = [Base.metadata.tables[name] for name in TABLES]
    async with db.engine.begin() as connection:
        await connection.run_sync(lambda sync: Base.metadata.drop_all(sync, tables))
        await connection.run_sync(lambda sync: Base.metadata.create_all(sync, tables))
    now = datetime.now(UTC)
    purses = [{"id": n, "owner": f"owner {n}", "balance": 1000, "touched": now} for n in range(1, PURSES + 1)]
    await Purses(db).insert_many(purses)
    await AllBooked(db).insert_many([{"purse_id": 1 + n % PURSES, "amount": n} for n in range(PURSES * BOOKED_EACH)])
