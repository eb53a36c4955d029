"""Optimistic locking: a version in each row, and sessions that say which entity was stale.

SQLAlchemy checks the version in the UPDATE and DELETE of a flush, and on a mismatch counts rows. What it was about to
write is noted here before, so that the server can be asked afterwards. Flushes without versioned entities pay for a
`try`. Refuses: trying again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Connection, CursorResult, Delete, event, exc, inspect, select, tuple_
from sqlalchemy.orm import InstanceState, Mapped, Mapper, Session, mapped_column, object_session
from sqlalchemy.orm.exc import StaleDataError

from dal.errors import StaleEntity

_NAME: Final = "version"
# The keys asked for in one statement: far below the server's 65,535 parameters, whatever their number of columns.
_CHUNK: Final = 1000


class Versioned:
    """Let every change count the row's `version` up, and refuse one that is based on an older version.

    `class Document(Versioned, Base)`; subclasses of a mapped class inherit it. The flush that comes too late raises
    `StaleEntity`. Each entity costs a statement of its own in a flush. Statements on sets (`update()`, `delete()`,
    COPY) do not look at versions: an `update()` must set `version=Document.version + 1` to be noticed.
    """

    version: Mapped[int] = mapped_column(server_default="1")


class VersionedSession(Session):
    """A session that raises `StaleEntity` in the place of SQLAlchemy's `StaleDataError`.

    To tell which entity it was costs up to three round trips, after the rollback.
    """

    _expected: list[_Expected] | None = None
    _watched: Connection | None = None

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """Write all pending changes."""
        try:
            super().flush(objects)
        except StaleDataError as error:
            stale = _stale(self._expected or [], error)
            if stale is None:  # a row of an entity without a version
                raise
            raise stale from error
        finally:
            self._expected = None
            if self._watched is not None:
                event.remove(self._watched, "after_execute", _check_delete)
                self._watched = None

    def expect(self, expected: _Expected) -> None:
        """Note what the flush that is under way is about to write."""
        if self._expected is None:
            self._expected = []
        self._expected.append(expected)

    def watch_deletes(self, connection: Connection) -> None:
        """Check every DELETE of the flush that is under way: SQLAlchemy does not where there are several."""
        if self._watched is None:
            self._watched = connection
            event.listen(connection, "after_execute", _check_delete)


@dataclass(frozen=True, slots=True)
class _Expected:
    state: InstanceState[Any]
    mapper: Mapper[Any]
    identity: tuple[Any, ...]
    version: int
    connection: Connection


# By event and not by __mapper_args__, which a class with a discriminator overrides without knowing.
@event.listens_for(Versioned, "instrument_class", propagate=True)
def _map_version(mapper: Mapper[Any], _class: type[Any]) -> None:
    if mapper.version_id_col is None:
        if _NAME not in mapper.local_table.c:
            raise TypeError(f"{mapper.class_.__name__} is Versioned, but has no column {_NAME!r}: leave it its name.")
        mapper.version_id_col = mapper.local_table.c[_NAME]


@event.listens_for(Versioned, "before_update", propagate=True)
def _note(mapper: Mapper[Any], connection: Connection, entity: Any) -> None:
    session = object_session(entity)
    state: InstanceState[Any] = inspect(entity)
    version = state.committed_state.get(_NAME, state.dict.get(_NAME))
    if isinstance(session, VersionedSession) and state.identity is not None and isinstance(version, int):
        session.expect(_Expected(state, mapper, tuple(state.identity), version, connection))


@event.listens_for(Versioned, "before_delete", propagate=True)
def _note_delete(mapper: Mapper[Any], connection: Connection, entity: Any) -> None:
    _note(mapper, connection, entity)
    session = object_session(entity)
    if isinstance(session, VersionedSession):
        session.watch_deletes(connection)


def _check_delete(
    _connection: Connection, statement: Any, _many: Any, parameters: Any, _options: Any, result: CursorResult[Any]
) -> None:
    # A statement of the flush's has the version among its parameters; a DELETE of the application's own has not.
    if isinstance(statement, Delete) and _NAME in parameters and result.rowcount == 0:
        raise StaleDataError(f"DELETE statement on table '{statement.table}' expected to delete 1 row; none matched.")


def _stale(expected: list[_Expected], error: StaleDataError) -> StaleEntity | None:
    """Ask the server which entity it was, on the connection that was rolled back.

    What this transaction itself had written before is undone by now: its rows are gone, or have a lower version. So
    entities that it had inserted, which are transient again, are left out, and a lower version is only the last guess.
    """
    guess = None
    try:
        for each, found in _found([each for each in expected if not each.state.transient]):
            if found == each.version:
                continue
            stale = StaleEntity(each.mapper.class_.__name__, each.identity, each.version, found)
            if found is None or found > each.version:
                return stale
            guess = guess or stale
    except exc.DBAPIError as failure:  # the connection was lost meanwhile: what is known is the flush's own error
        raise error from failure
    return guess


def _found(expected: list[_Expected]) -> Iterator[tuple[_Expected, int | None]]:
    groups: dict[tuple[Mapper[Any], Connection], list[_Expected]] = {}
    for each in expected:
        groups.setdefault((each.mapper.base_mapper, each.connection), []).append(each)
    for (mapper, connection), group in groups.items():
        for start in range(0, len(group), _CHUNK):
            chunk = group[start : start + _CHUNK]
            versions = _versions(mapper, connection, [each.identity for each in chunk])
            yield from ((each, versions.get(each.identity)) for each in chunk)


def _versions(mapper: Mapper[Any], connection: Connection, identities: list[Any]) -> dict[tuple[Any, ...], int]:
    version_id_col = cast("ColumnElement[int]", mapper.version_id_col)
    statement = select(version_id_col, *mapper.primary_key).where(tuple_(*mapper.primary_key).in_(identities))
    # A flush in a savepoint leaves the transaction around it open; else this is one of its own.
    own = None if connection.in_transaction() else connection.begin()
    try:
        return {tuple(key): version for version, *key in connection.execute(statement)}
    finally:
        if own is not None:
            own.rollback()
