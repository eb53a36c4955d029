"""Reads and writes of one mapped class.

A repository never commits and holds no state: it is bound to a `Database`, where every call stands alone, or to a
`UnitOfWork`, whose transaction it takes part in. Its filters are SQLAlchemy's expressions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, get_args, get_origin

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Table, func, inspect, select
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm.interfaces import ORMOption

from dal.errors import NotFound
from dal.loading import raise_unloaded, raise_unloaded_of
from dal.session import SessionSource

if TYPE_CHECKING:
    from dal.copy import CopyReport, OnProgress, Source

E = TypeVar("E", bound=DeclarativeBase)


class Repository(Generic[E]):
    """The entities of one mapped class: `class OrderRepository(Repository[Order])`.

    What a read does not load raises `NotLoaded` when it is touched, and says which option to add. Outside a unit of
    work entities come back detached, with all their own columns.
    """

    model: ClassVar[type[DeclarativeBase]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in getattr(cls, "__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Repository) and isinstance(get_args(base)[0], type):
                cls.model = get_args(base)[0]

    def __init__(self, source: SessionSource) -> None:
        if not hasattr(type(self), "model"):
            raise TypeError("a repository needs its mapped class: class Orders(Repository[Order]).")
        self._source = source

    async def get(self, identity: Any, *, options: Sequence[ORMOption] = ()) -> E | None:
        """Read one entity by primary key, or None; a composite one is a tuple, or a dict by attribute.

        One round trip; none without *options* when the unit of work already holds the entity.
        """
        async with self._source.reading() as session:
            if not options:
                return await session.get(self._model, identity, options=[raise_unloaded()])
            # Not session.get, which leaves an entity that it holds as it is, whatever the options.
            statement = select(self._model).where(*self._has(identity)).options(raise_unloaded(), *options)
            return (await session.scalars(statement)).unique().one_or_none()

    async def get_one(self, identity: Any, *, options: Sequence[ORMOption] = ()) -> E:
        """Read one entity by primary key, or raise `NotFound`."""
        entity = await self.get(identity, options=options)
        if entity is None:
            keys = ", ".join(column.name for column in inspect(self._model).primary_key)
            raise NotFound(f"no {self._model.__name__} has the {keys} asked for.")
        return entity

    async def list(
        self,
        *where: ColumnExpressionArgument[bool],
        order_by: ColumnExpressionArgument[Any] | Sequence[ColumnExpressionArgument[Any]] = (),
        limit: int | None = None,
        options: Sequence[ORMOption] = (),
    ) -> Sequence[E]:
        """Read the entities that satisfy every condition.

        One round trip, and one more for each `selectinload` among *options*.
        """
        keys = order_by if isinstance(order_by, Sequence) else (order_by,)
        statement = select(self._model).where(*where).order_by(*keys).limit(limit)
        async with self._source.reading() as session:
            result = await session.scalars(statement.options(raise_unloaded(), *options))
            return result.unique().all()

    async def count(self, *where: ColumnExpressionArgument[bool]) -> int:
        """Count the rows that satisfy every condition, in the server."""
        statement = select(func.count()).select_from(self._model).where(*where)
        async with self._source.reading() as session:
            return await session.scalar(statement) or 0

    async def add(self, *entities: E) -> None:
        """Insert new entities, or update changed detached ones, now: their generated keys are there afterwards.

        Give many at once: those of one table go in one statement.
        """
        async with self._source.writing() as session:
            session.add_all(entities)
            new = list(session.new)  # with what cascades from the entities
            await session.flush()
            for entity in new:
                raise_unloaded_of(entity)

    async def delete(self, *entities: E) -> None:
        """Delete entities now, with what the mapping cascades to."""
        async with self._source.writing() as session:
            for entity in entities:
                await session.delete(entity)
            await session.flush()

    async def copy_in(
        self, source: Source, *, rename: Mapping[str, str] | None = None, on_progress: OnProgress | None = None
    ) -> CopyReport:
        """Load Arrow data or a Parquet file by binary COPY, all of it or nothing; see `dal.copy.copy_in`."""
        from dal.copy import copy_in  # not above: it needs an extra

        table = self._model.__table__
        assert isinstance(table, Table)  # noqa: S101 # declarative classes map tables
        async with self._source.writing() as session:
            return await copy_in(session, table, source, rename=rename, on_progress=on_progress)

    def _has(self, identity: Any) -> Sequence[ColumnElement[bool]]:
        mapper = inspect(self._model)
        if isinstance(identity, dict):
            return [getattr(self._model, name) == value for name, value in identity.items()]
        values = identity if isinstance(identity, tuple) else (identity,)
        return [column == value for column, value in zip(mapper.primary_key, values, strict=True)]

    @property
    def _model(self) -> type[E]:
        return self.model  # type: ignore[return-value] # a ClassVar cannot name the type variable that it holds
