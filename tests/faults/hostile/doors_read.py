"""Doors by which something is read: keys, conditions, orderings, bookmarks, limits, types, locks, settings."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import exc, text

from dal.errors import KeysetError, LockNotAvailable
from dal.keyset.bookmark import VERSION, _in_base64, _sum
from dal.keyset.ordering import Ordering
from tests.faults.hostile.drawing import Draw
from tests.faults.hostile.part import Found
from tests.faults.hostile.types_to_read import _HINTS
from tests.faults.hostile.words import JSON, MOMENTS, NAMES, NUMBERS
from tests.faults.hostile.world import Desk, Door, Note, Notes, Odd, Odds, World


@dataclasses.dataclass
class _Card:
    id: int
    name: str


_ORDERINGS: Final = [
    Ordering.of(Note, by)
    for by in ((), Note.name, Note.amount.desc(), [Note.moment, Note.score.desc()], [Note.tags, Note.document])
]  # fmt: skip


_LIMITS: Final[list[Any]] = [
    0, -1, 1, 2**31, 2**63 - 2, 2**63 - 1, 2**63, 2**64, 10**400, 1.0, 1.5, True, float("nan"), float("inf"),
]  # fmt: skip


async def read_by_key(world: World, draw: Draw) -> None:
    """Ask for a row by whatever somebody takes for its key."""
    key = draw.one_of(
        [
            draw.text(NUMBERS),
            draw.under(70),
            2**63,
            -(2**63) - 1,
            10**400,
            None,
            1.5,
            True,
            b"1",
            (1,),
            (1, 2),
            {"id": 1},
        ]
    )
    notes: Any = Notes(world.db)
    match draw.under(5):
        case 0:
            found: Any = await notes.get(key)
        case 1:
            found = await notes.get(key, into=_Card)
        case 2:
            found = await notes.exists(key)
        case 3:
            found = await notes.get_many([key, 1], into=_Card)
        case _:
            found = await notes.get(key, into=Note.body)
    if isinstance(key, str) and found is True:
        raise Found(f"the text {key!r} is taken for a number")


async def read_by_value(world: World, draw: Draw) -> None:
    """Compare columns with a text; a text that is in no row finds none."""
    words, other = draw.text(), draw.text()
    notes: Any = Notes(world.db)
    odd: Any = Odd
    match draw.under(6):
        case 0:
            found: Any = await notes.list(Note.name == words)
        case 1:
            found = await notes.list(Note.name == words, into=_Card)
        case 2:
            found = await notes.list(Note.name.in_([words, other]), into=_Card)
        case 3:
            found = await Odds(world.db).list(odd.words == words, odd.select == other)
        case 4:
            found = await notes.list(Note.document["n"].astext == words, Note.name == other)
        case _:
            found = [None] * await Notes(world.db).count(Note.name == words)
    if found and not (words.startswith("note ") or other.startswith("note ")):
        raise Found(f"{words!r} and {other!r} find {len(found)} rows")


async def read_in_order(world: World, draw: Draw) -> None:
    """Order by what came from outside: a name of a column is none, and SQL still less."""
    name, notes = draw.text(NAMES) if draw.flag() else draw.text(), Notes(world.db)
    given: Any = draw.one_of([name, [name], [Note.id, name], (name, Note.id)])
    match draw.under(3):
        case 0:
            await notes.list(order_by=given, limit=3)
        case 1:
            await notes.list(order_by=given, into=_Card)
        case _:
            await notes.page(limit=3, order_by=given)


async def read_a_page(world: World, draw: Draw) -> None:
    """Go on at a bookmark that was forged: no other rows come than *where* lets, and what is no value is refused."""
    ordering = draw.one_of(_ORDERINGS)
    texts = [draw.maybe(lambda: draw.text((*NUMBERS, *MOMENTS, *JSON, *NAMES))) for _ in ordering.elements]
    body = VERSION + ordering.digest
    body += b"".join(b"\0" if each is None else b"\0=" + each.encode("utf-8", "surrogatepass") for each in texts)
    bookmark = _in_base64(body + _sum(body)) if draw.under(8) else draw.text()
    notes: Any = Notes(world.db)
    where = {"after" if draw.flag() else "before": bookmark}
    into: Any = {"into": _Card} if draw.flag() else {}
    page = await notes.page(Note.id < 40, limit=draw.one_of([1, 5, 100]), order_by=ordering, **where, **into)
    if any(each.id >= 40 for each in page.items):
        raise Found(f"the bookmark of {texts!r} shows rows that are not to be seen")
    with suppress(KeysetError):  # of a page that is empty the bookmark is the one given
        if page.items:
            await notes.page(limit=2, order_by=ordering, after=page.last)


async def read_so_many(world: World, draw: Draw) -> None:
    """Ask for a number of rows, as a client may."""
    limit: Any = draw.one_of(
        [0, -1, 1, 2**31, 2**63 - 2, 2**63 - 1, 2**63, 2**64, 10**400, 1.0, 1.5, True, float("nan"), float("inf")]
    )
    notes: Any = Notes(world.db)
    match draw.under(4):
        case 0:
            await notes.list(limit=limit)
        case 1:
            await notes.list(limit=limit, into=_Card)
        case 2:
            await notes.page(limit=limit, count=draw.one_of([None, "exact", 3, 2**63, "estimated"]))
        case _:
            async with notes.stream(batch_rows=limit, into=_Card) as rows:
                async for _ in rows:
                    break


async def read_into(world: World, draw: Draw) -> None:
    """Give a parameter, and read it into whatever: it comes as it went, or it is refused."""
    words = draw.text()
    into: Any = draw.one_of(_HINTS) if draw.flag() else str
    found = await world.db.select_into(into, text("SELECT CAST(:words AS text) AS id"), {"words": words})
    if into is str and found != [words]:
        raise Found(f"{words!r} comes back as {found!r}")


async def lock_by_name(world: World, draw: Draw) -> None:
    """Lock by any name, in a session and in a transaction."""
    name: Any = draw.text() if draw.under(4) else draw.one_of([2**63, -1, (1, 2), (2**31, 0), None, 1.5, True, (1,)])
    if draw.flag():
        async with world.db.advisory_lock(name, wait=False, shared=draw.flag()) as lock:
            await lock.check()
    else:
        async with Desk(world.db) as desk:
            with suppress(LockNotAvailable):
                await desk.advisory_lock(name, timeout_s=0.2)


async def begin_with_settings(world: World, draw: Draw) -> None:
    """Set what row-level security goes by: the value is there as it was given, and nothing else is changed."""
    name, value = ("app.tenant" if draw.flag() else draw.text(NAMES)), draw.text()
    options: Any = {"settings": {name: value}} if draw.under(4) else {"role": draw.text()}
    async with Desk(world.db, **options) as desk:
        session = desk.session
        if "settings" in options:
            query = "SELECT current_setting(:name), current_user = session_user, current_setting('app.canary', true)"
            found, is_same, sung = (await session.execute(text(query), {"name": name})).one()
            if (name == "app.tenant" and found != value) or not is_same or sung:
                raise Found(f"{name!r} was set to {value!r}, and is {found!r}")
        else:
            await session.execute(text("SELECT 1"))
            raise Found(f"there is a role {options['role']!r}") if options["role"] not in _ROLES else _Undone


_ROLES: Final = ("none", "postgres")  # none, and the one that is there


class _Undone(Exception):  # no error
    """Rolls back."""


READ: Final = [
    Door("keys", read_by_key, 10, (exc.InvalidRequestError,)),
    Door("conditions", read_by_value, 10),
    Door("order_by", read_in_order, 6, (exc.ArgumentError, exc.CompileError)),
    Door("pages", read_a_page, 12),
    Door("limits", read_so_many, 3, (ValueError,)),
    Door("select_into", read_into, 8),
    Door("locks", lock_by_name, 6, (TypeError, ValueError)),
    Door("settings", begin_with_settings, 8, (_Undone,)),
]
