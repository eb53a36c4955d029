"""Reads in all ways; each answer is looked at for being another's."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import func, select, text

from dal.errors import QueryCanceled
from tests.faults.chaos.models import (
    ACCOUNTS,
    BALANCE,
    BOOKS,
    SECRETS,
    SHELVES,
    STABLE_ITEMS,
    TENANTS,
    Account,
    AccountCard,
    Accounts,
    Item,
    ItemCard,
    Items,
    Library,
    Secret,
    Secrets,
    ShelfCard,
    Shelves,
    Vault,
    words_of,
)
from tests.faults.chaos.service import Service, expect

TIMEOUT_S: Final = 1.5
_PAGE: Final = 40
_ALONE: Final = 4  # how many lookups of one task go out together


async def projection(service: Service) -> None:
    """Read shelves with their books into a type."""
    async with asyncio.timeout(TIMEOUT_S):
        shelves = await Shelves(service.db).list(into=ShelfCard)
    for shelf in shelves:
        expect(shelf.words == words_of("shelf", shelf.id), f"shelf {shelf.id} has the words of another")
        expect(all((book.id - 1) // BOOKS + 1 == shelf.id for book in shelf.books), f"shelf {shelf.id}: other's books")
    expect([len(shelf.books) for shelf in shelves] == [BOOKS] * SHELVES, "shelves or books are missing")


async def lookups(service: Service) -> None:
    """Look up some accounts by key at once: they share a statement, with those of other tasks too."""
    numbers = service.chance.choices(range(1, ACCOUNTS + 3), k=_ALONE)
    async with asyncio.timeout(TIMEOUT_S):
        accounts = Accounts(service.db)
        cards = await asyncio.gather(*(accounts.get(number, into=AccountCard) for number in numbers))
    for number, card in zip(numbers, cards, strict=True):
        expect((card is None) == (number > ACCOUNTS), f"account {number} is there, or is not")
        expect(card is None or (card.id, card.words) == (number, words_of("account", number)), "another's account")


async def entity(service: Service) -> None:
    """Read one entity by SQLAlchemy's own way."""
    number = service.chance.randint(1, ACCOUNTS)
    async with asyncio.timeout(TIMEOUT_S):
        account = await Accounts(service.db).get_one(number)
    expect((account.id, account.words) == (number, words_of("account", number)), "another's account")


async def batch(service: Service) -> None:
    """Load the books of all shelves by reading those of one."""
    async with Library(service.db, timeout_s=TIMEOUT_S, read_only=True) as library:
        for shelf in await library.shelves.list():
            books = await shelf.awaitable_attrs.books
            expect([book.shelf_id for book in books] == [shelf.id] * BOOKS, f"shelf {shelf.id} has other books")


async def total(service: Service) -> None:
    """Add up all balances in one snapshot, row by row from a stream or in the server."""
    async with asyncio.timeout(TIMEOUT_S):
        if service.chance.random() < 0.5:
            async with Accounts(service.db).stream(into=AccountCard, batch_rows=7) as cards:
                found = sum([card.balance async for card in cards])
        else:
            async with service.db.begin(isolation="repeatable read", read_only=True) as session:
                found = await session.scalar(select(func.sum(Account.balance))) or 0
    expect(found == ACCOUNTS * BALANCE, f"the balances add up to {found}")


async def tenant(service: Service) -> None:
    """Read as a tenant, who sees his own secrets; then as nobody, who sees none."""
    number = service.chance.randint(1, TENANTS)
    async with Vault(service.db, timeout_s=TIMEOUT_S, settings={"app.tenant": str(number)}) as vault:
        seen = await vault.secrets.list(Secret.id > 0)
        expect([secret.tenant for secret in seen] == [number] * SECRETS, "another tenant's secrets")
    async with asyncio.timeout(TIMEOUT_S):
        expect(await Secrets(service.db).count() == 0, "secrets without a tenant")


async def sort(service: Service) -> None:
    """Sort what does not fit into the server's memory."""
    async with asyncio.timeout(TIMEOUT_S), service.db.checkout() as driver:
        rows = await driver.fetchval(
            "SELECT count(*) FROM (SELECT n FROM generate_series(1, 20000) AS n ORDER BY -n OFFSET 0) AS sorted"
        )
    expect(rows == 20_000, "rows are missing")  # as asked for above


async def slow(service: Service) -> None:
    """Wait in the server for a while, with its own timeout shorter than that now and then."""
    with suppress(QueryCanceled):
        async with service.db.begin(statement_timeout_s=service.chance.choice([0.005, 1.0])) as session:
            await session.execute(text("SELECT pg_sleep(0.01)"))


@dataclass(slots=True)
class Walk:
    """A list that is read page by page; one that was ended goes on from its bookmark."""

    after: str | None = None
    seen: list[ItemCard] = field(default_factory=list)


async def walk(service: Service) -> None:
    """Read all items page by page, while items come and go."""
    going = service.walks.popleft() if service.walks else Walk()
    try:
        while going.after is not None or not going.seen:
            async with asyncio.timeout(TIMEOUT_S):
                page = await Items(service.db).page(
                    into=ItemCard, order_by=[Item.rank.desc()], limit=_PAGE, after=going.after
                )
            going.seen.extend(page.items)
            going.after = page.next
    except BaseException:
        service.walks.append(going)
        raise
    _look_at(going.seen)


def _look_at(seen: list[ItemCard]) -> None:
    places = [(-item.rank, -item.id) for item in seen]
    expect(places == sorted(set(places)), "items are out of order, or twice")
    expect(sum(item.is_stable for item in seen) == STABLE_ITEMS, "items that never change are missing")


async def churn(service: Service) -> None:
    """Let some items come and others go."""
    rows = [{"rank": service.chance.randrange(50), "is_stable": False} for _ in range(5)]
    async with asyncio.timeout(TIMEOUT_S):
        await Items(service.db).insert_many(rows)
        await Items(service.db).delete_where(Item.is_stable.is_(False), Item.rank == service.chance.randrange(50))
