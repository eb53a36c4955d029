"""SQLAlchemy's lazy loader, which asks before it sends a statement for one, and its selectinload for those in hand.

The one module of `dal.loading` that uses SQLAlchemy's private parts, held by a contract test. What it puts in the place
of the lazy loader does the same as that for every session but dal's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Select, event, inspect
from sqlalchemy.orm import InstanceState, Mapper, PassiveFlag, RelationshipProperty, Session, registry
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.base import ATTR_WAS_SET, PASSIVE_NO_RESULT, PASSIVE_OFF
from sqlalchemy.orm.strategies import _DeferredColumnLoader, _LazyLoader
from sqlalchemy.util import EMPTY_DICT

from dal.loading.asking import AnswerColumns, Answers
from dal.loading.keys import by_array, keys_at_once
from dal.loading.unloaded import not_loaded
from dal.projection.plan import key_names
from dal.session import TellingSession

State: TypeAlias = InstanceState[Any]

_LAZY: Final = (("lazy", "select"),)
_DEFERRED: Final = (("deferred", True), ("instrument", True))
_SELECTIN: Final = (("lazy", "selectin"),)


_watched: Final[WeakKeyDictionary[registry, Answers]] = WeakKeyDictionary()


def watch(model: type[Any], answers: Answers) -> None:
    """Have the lazy loads of *model*, and of all that is mapped beside it, ask *answers* what to do."""
    mapped = inspect(model).registry
    if mapped not in _watched:
        _watched[mapped] = answers
        _watch(mapped, answers)


@event.listens_for(Mapper, "after_configured")
def _watch_what_is_new() -> None:
    for mapped, answers in list(_watched.items()):
        _watch(mapped, answers)


def _watch(mapped: registry, answers: Answers) -> None:
    for mapper in mapped.mappers:
        if mapper.configured:
            _ask_for_expired(mapper, answers)
            for prop in mapper.relationships:
                _put_in_place(mapper, prop, _LAZY, answers)
            for column in mapper.column_attrs:
                _put_in_place(mapper, column, _DEFERRED, answers)


def _ask_for_expired(mapper: Mapper[Any], answers: Answers) -> None:
    manager: Any = mapper.class_manager
    if not isinstance(manager.expired_attribute_loader, _AskingForExpired):
        manager.expired_attribute_loader = _AskingForExpired(manager.expired_attribute_loader, answers.columns)


def _put_in_place(mapper: Mapper[Any], prop: Any, key: Any, answers: Answers) -> None:
    """Put the loader that asks into the property, and into the attribute of this class, where SQLAlchemy's own is."""
    found = prop._strategies.get(key)
    if type(found) in _ASKING:
        prop._strategies[key] = _ASKING[type(found)](found, answers)
    impl: Any = mapper.class_manager[prop.key].impl
    if (
        type(getattr(impl.callable_, "__self__", None)) in _ASKING
        and type(prop._strategies.get(key)) in _ASKING.values()
    ):
        impl.callable_ = prop._strategies[key]._load_for_state


class _AskingForExpired:
    """SQLAlchemy's loader of expired columns, which asks first."""

    def __init__(self, before: Any, answer: AnswerColumns) -> None:
        self._before, self._answer = before, answer

    def __call__(self, state: State, names: Collection[str], passive: PassiveFlag) -> Any:
        session = state.session
        if passive != PASSIVE_OFF or not isinstance(session, TellingSession):
            return self._before(state, names, passive)
        return self._answer(session, state, names, lambda: self._before(state, names, passive))


class _AskingForDeferred(_DeferredColumnLoader):
    """SQLAlchemy's loader of a deferred column, which asks first."""

    def __init__(self, before: Any, answers: Answers) -> None:
        super().__init__(before.parent_property, before.strategy_key)  # type: ignore[no-untyped-call] # SQLAlchemy's
        self.is_class_level = before.is_class_level
        self._answer = answers.columns

    def _load_for_state(self, state: State, passive: PassiveFlag) -> Any:
        own: Any = super()._load_for_state
        session = state.session
        if passive != PASSIVE_OFF or self.raiseload or not isinstance(session, TellingSession):
            return own(state, passive)
        found = self._answer(session, state, (self.key,), lambda: own(state, passive))
        return ATTR_WAS_SET if found is None else found


class _AskingLoader(_LazyLoader):
    """SQLAlchemy's lazy loader, which asks where it would send a statement."""

    def __init__(self, before: Any, answers: Answers) -> None:
        super().__init__(before.parent_property, _LAZY)
        self.is_class_level = before.is_class_level
        self._answer = answers.relationship

    def _load_for_state(self, state: State, passive: PassiveFlag, *more: Any, **options: Any) -> Any:
        def alone(passive: PassiveFlag = passive) -> Any:
            own: Any = super(_AskingLoader, self)._load_for_state
            return own(state, passive, *more, **options)

        def together(states: Sequence[State]) -> None:
            load_relationship(prop, states, limit=options.get("extra_criteria") if limit_of(state, prop) else None)

        prop, session = self.parent_property, state.session
        if state.detached and passive & PassiveFlag.SQL_OK and not passive & PassiveFlag.NO_RAISE:
            raise not_loaded(state, prop)
        # Cascades, histories and other loaders ask in other ways, and are left to SQLAlchemy.
        if passive != PASSIVE_OFF or more or "execution_options" in options or not isinstance(session, TellingSession):
            return alone()
        found = alone(passive ^ PassiveFlag.SQL_OK)
        if found is not PASSIVE_NO_RESULT:
            return found
        found = self._answer(session, state, prop, alone=alone, together=together)
        return ATTR_WAS_SET if found is None and prop.key in state.dict else found


_ASKING: Final[dict[Any, Any]] = {_LazyLoader: _AskingLoader, _DeferredColumnLoader: _AskingForDeferred}


def run_of(state: State) -> int | None:
    """Give the number of the run of a statement that brought an entity; None of one that was added."""
    return state.runid


def autoflush(session: Session) -> None:
    """Write pending changes, as SQLAlchemy does before a statement: not where it is told not to, nor within a flush."""
    session._autoflush()


def limit_of(state: State, prop: RelationshipProperty[Any]) -> Any:
    """Give the option that limits *prop* of *state*, such as `lazyload(Order.lines.and_(...))`; None if there is none.

    Expiring an entity takes it away, and leaves it with those that came with it.
    """
    option = getattr(state.callables.get(prop.key), "loadopt", None)
    return option if option is not None and option._extra_criteria else None


def load_relationship(
    prop: RelationshipProperty[Any],
    states: Sequence[State],
    *,
    limit: ColumnElement[bool] | None = None,
    force: bool = False,
) -> None:
    """Load *prop* for all *states*, which came with the same options: in one statement, or one for each chunk of keys.

    A many-to-one whose entity the session holds is taken from there. What is loaded already stays, unless *force*.
    """
    missing = states if force or limit is not None else [state for state in states if not _is_in_session(prop, state)]
    if missing:
        loader: Any = prop._get_strategy(_SELECTIN)
        option = _Option(limit, keys_at_once(loader._query_info.pk_cols))
        asked = [(state, force) for state in missing]
        # As SQLAlchemy's lazy loader has it: only who came with options has a path to where they hold.
        path: Any = missing[0].load_path if missing[0].load_options else missing[0].mapper._path_registry
        context = _Context(missing[0].session, missing[0].load_options)
        loader._load_for_path(context, path, asked, None, loader.entity, option, None, EMPTY_DICT)


def _is_in_session(prop: RelationshipProperty[Any], state: State) -> bool:
    """Tell whether *prop* is loaded, or what it leads to is there and has been put there."""
    if prop.key in state.dict:
        return True
    loader: Any = prop._get_strategy(_LAZY)
    found = loader._load_for_state(state, PASSIVE_OFF ^ PassiveFlag.SQL_OK) if loader.use_get else PASSIVE_NO_RESULT
    if inspect(found, raiseerr=False) is None:
        return False
    set_committed_value(state.obj(), prop.key, found)
    return True


class _Context:
    """What selectinload asks of the query that it belongs to."""

    populate_existing = False

    def __init__(self, session: Session | None, options: Sequence[Any]) -> None:
        self.session = _ByArray(session)
        self._options = options

    def _loader_strategy_options(self) -> Sequence[Any]:
        return self._options


class _ByArray:
    """A session that sends the keys of selectinload's IN as an array: any number of them is one prepared statement."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def execute(self, statement: Select[Any], params: dict[str, Any], execution_options: Any) -> Any:
        (name, keys) = params.popitem()
        column: Any = statement.whereclause.left  # type: ignore[union-attr]
        columns = getattr(column, "clauses", [column])
        criterion = by_array(columns)
        if criterion is None:
            params = {name: keys}
        else:
            statement._where_criteria = (criterion,)
            arrays = [keys] if len(columns) == 1 else [list(each) for each in zip(*keys, strict=True)]
            params = dict(zip(key_names(len(columns)), arrays, strict=True))
        return self._session.execute(statement, params, execution_options=execution_options)


class _Option:
    """A loader option: what it says of a relationship, `lazyload(Order.lines.and_(...))`, and the size of a chunk."""

    def __init__(self, limit: ColumnElement[bool] | None, chunksize: int) -> None:
        self._limit = limit
        self._extra_criteria = () if limit is None else (limit,)
        self.local_opts = {"chunksize": chunksize}

    def _generate_extra_criteria(self, _context: Any) -> Any:
        return self._limit
