"""The methods of a repository that read by primary key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar, overload

from sqlalchemy import Integer, SQLColumnExpression, literal_column, select
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm.interfaces import ORMOption

from dal.errors import LockNotAvailable, NotFound
from dal.locks import Strength, row_lock
from dal.projection import get, get_many, lookup_of
from dal.read.encoding import encoder_of
from dal.read.reading import Into, Reading, refuse_options
from dal.read.statement import has_identity, key_words

E = TypeVar("E", bound=DeclarativeBase)
T = TypeVar("T")

_THERE: Final[SQLColumnExpression[int]] = literal_column("1", Integer)


class ReadsByKey(Reading[E]):
    """A composite key is a tuple, or a dict by attribute."""

    @overload
    async def get(
        self,
        identity: Any,
        *,
        options: Sequence[ORMOption] = (),
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> E | None: ...
    @overload
    async def get(
        self,
        identity: Any,
        *,
        into: Into[T],
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> T | None: ...
    async def get(
        self,
        identity: Any,
        *,
        into: Into[Any] | None = None,
        options: Sequence[ORMOption] = (),
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> Any:
        """Read one entity by primary key, or None; a composite one is a tuple, or a dict by attribute.

        One round trip; none without *options* and *lock* when the unit of work already holds the entity. With *lock*
        pending changes are flushed, and the row is read anew and locked until the end of the unit of work, in one
        statement. A row that somebody else has locked is waited for, or is None (*skip_locked*), or raises
        `LockNotAvailable` (*nowait*), which spoils the transaction unless it is raised in a savepoint.
        """
        row = (
            row_lock(lock, nowait=nowait, skip_locked=skip_locked)
            if lock is not None or nowait or skip_locked
            else None
        )
        if row is None and into is not None:
            if options:
                refuse_options(options)
            return await get(self._source, lookup_of(self.model, into), identity)  # type: ignore[attr-defined] # see _model
        if row is None and not options:
            async with self._source.reading() as session:
                return await session.get(self._model, identity, options=self._lazily)
        # Not session.get, which leaves an entity that it holds as it is, whatever the options.
        statement = select(self._model).where(*has_identity(self._model, identity))
        found = await self._read(statement, into, options, row)
        return found[0] if found else None

    @overload
    async def get_one(
        self,
        identity: Any,
        *,
        options: Sequence[ORMOption] = (),
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> E: ...
    @overload
    async def get_one(
        self,
        identity: Any,
        *,
        into: Into[T],
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> T: ...
    async def get_one(
        self,
        identity: Any,
        *,
        into: Into[Any] | None = None,
        options: Sequence[ORMOption] = (),
        lock: Strength | None = None,
        skip_locked: bool = False,
        nowait: bool = False,
    ) -> Any:
        """Read one entity by primary key, or raise `NotFound`.

        With *skip_locked*, a row that is there and locked raises `LockNotAvailable`; the transaction goes on. To know
        it from one that is not there costs a round trip more.
        """
        asked: Any = {"options": options} if into is None else {"into": into}
        entity = await self.get(identity, **asked, lock=lock, skip_locked=skip_locked, nowait=nowait)
        if entity is not None:
            return entity
        if skip_locked and await self.exists(identity):
            raise LockNotAvailable(
                f"the {self._model.__name__} with the {key_words(self._model)} asked for is locked by somebody else, "
                "and skip_locked passes it over. Try again later, or wait for it without skip_locked."
            )
        raise NotFound(f"no {self._model.__name__} has the {key_words(self._model)} asked for.")

    async def get_many(self, identities: Iterable[Any], *, into: Into[T]) -> Sequence[T | None]:
        """Read many by primary key, in the order of the keys, None for each that is not there.

        One round trip for ten thousand keys, and one for each collection.
        """
        return await get_many(self._source, lookup_of(self._model, into), list(identities))

    async def get_json(self, identity: Any, *, into: Into[Any]) -> bytes | None:
        """Read one by primary key, as `get` does, and give the JSON of it, or None."""
        encoder = encoder_of(into)
        found = await get(self._source, lookup_of(self._model, into), identity)
        return None if found is None else encoder.one(found)

    async def exists(self, identity: Any) -> bool:
        """Tell whether there is a row with this primary key, without reading it."""
        return await get(self._source, lookup_of(self._model, _THERE), identity) is not None
