"""SQLAlchemy's lazy loaders, which ask before they send a statement for one, and its selectinload for those in hand.

The one module of `dal.loading` that uses SQLAlchemy's private parts, held by a contract test. What it puts in the place
of the lazy loaders, of everything that is mapped in the process, does the same as those for every session but dal's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any, ClassVar, Final, TypeAlias

from sqlalchemy import ColumnElement, Select, and_, event, inspect
from sqlalchemy.orm import (
    ColumnProperty,
    InstanceState,
    Mapper,
    PassiveFlag,
    QueryableAttribute,
    RelationshipProperty,
    Session,
)
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.base import ATTR_WAS_SET, PASSIVE_NO_RESULT, PASSIVE_OFF
from sqlalchemy.orm.mapper import _all_registries
from sqlalchemy.orm.strategies import _DeferredColumnLoader, _LazyLoader
from sqlalchemy.util import EMPTY_DICT

from dal.loading.asking import Answers
from dal.loading.keys import by_array, keys_at_once
from dal.loading.unloaded import not_loaded
from dal.projection.plan import key_names
from dal.session import TellingSession

State: TypeAlias = InstanceState[Any]

_LAZY: Final = (("lazy", "select"),)
_SELECTIN: Final = (("lazy", "selectin"),)


def watch(answers: Answers) -> None:
    """Have the lazy loads of dal's sessions ask *answers* what to do, of all that is mapped and all that will be."""
    _AskingForRelationship.answers = _AskingForDeferred.answers = _AskingForExpired.answers = answers
    RelationshipProperty.strategy_for(lazy="select")(_AskingForRelationship)
    RelationshipProperty.strategy_for(lazy=True)(_AskingForRelationship)
    ColumnProperty.strategy_for(deferred=True, instrument=True)(_AskingForDeferred)
    event.listen(Mapper, "after_mapper_constructed", _ask_for_expired)
    for mapper in [mapper for mapped in _all_registries() for mapper in mapped.mappers]:
        _ask_for_expired(mapper, mapper.class_)
        if mapper.configured:
            for prop in (*mapper.relationships, *mapper.column_attrs):
                _put_in_place(mapper, prop)


def _ask_for_expired(mapper: Mapper[Any], _model: type[Any]) -> None:
    manager: Any = mapper.class_manager
    manager.expired_attribute_loader = _AskingForExpired(manager.expired_attribute_loader)


def _put_in_place(mapper: Mapper[Any], prop: Any) -> None:
    """Have the loaders of a property, and of this class's attribute, that were there before dal was imported ask."""
    for key, found in prop._strategies.items():
        asking = prop._strategy_lookup(prop, *key)
        if asking in _ASKING:
            found.__class__ = asking
    impl: Any = mapper.class_manager[prop.key].impl
    loader = getattr(impl.callable_, "__self__", None)
    if type(loader) in _ASKING:
        impl.callable_ = loader._load_for_state  # type: ignore[union-attr] # it is one of ours


class _AskingForExpired:
    """SQLAlchemy's loader of expired columns, which asks first."""

    answers: ClassVar[Answers]

    def __init__(self, before: Any) -> None:
        self._before = before

    def __call__(self, state: State, names: Collection[str], passive: PassiveFlag) -> Any:
        session = state.session
        if passive != PASSIVE_OFF or not isinstance(session, TellingSession):
            return self._before(state, names, passive)
        return self.answers.columns(session, state, names, lambda: self._before(state, names, passive))


class _AskingForDeferred(_DeferredColumnLoader):
    """SQLAlchemy's loader of a deferred column, which asks first."""

    __slots__ = ()
    answers: ClassVar[Answers]

    def _load_for_state(self, state: State, passive: PassiveFlag) -> Any:
        own: Any = super()._load_for_state
        session = state.session
        if passive != PASSIVE_OFF or not isinstance(session, TellingSession):
            return own(state, passive)
        found = self.answers.columns(session, state, self._names(state), lambda: own(state, passive))
        return ATTR_WAS_SET if found is None else found

    def _names(self, state: State) -> Collection[str]:
        """Give the columns that are loaded with this one: those of its `deferred_group`, which nobody has set."""
        if not self.group:
            return (self.key,)
        own = [prop.key for prop in state.mapper.column_attrs if prop.deferred and prop.group == self.group]
        return state.unmodified.intersection(own)


class _AskingForRelationship(_LazyLoader):
    """SQLAlchemy's lazy loader, which asks where it would send a statement."""

    __slots__ = ()
    answers: ClassVar[Answers]

    def _load_for_state(self, state: State, passive: PassiveFlag, *more: Any, **options: Any) -> Any:
        def alone(passive: PassiveFlag = passive) -> Any:
            own: Any = super(_AskingForRelationship, self)._load_for_state
            return own(state, passive, *more, **options)

        prop, session = self.parent_property, state.session
        if state.detached and passive & PassiveFlag.SQL_OK and not passive & PassiveFlag.NO_RAISE:
            raise not_loaded(state, prop)
        # Cascades, histories and other loaders ask in other ways, and are left to SQLAlchemy.
        if passive != PASSIVE_OFF or more or "execution_options" in options or not isinstance(session, TellingSession):
            return alone()
        found = alone(passive ^ PassiveFlag.SQL_OK)
        if found is not PASSIVE_NO_RESULT:
            return found
        found = self.answers.relationship(
            session, state, prop, alone=alone, together=lambda states: load_relationship(prop, states)
        )
        return ATTR_WAS_SET if found is None and prop.key in state.dict else found


_ASKING: Final = (_AskingForRelationship, _AskingForDeferred)


def runs_of(states: Sequence[State]) -> list[int | None]:
    """Give of each the number of the run of a statement that brought it; None of one that was added."""
    return [state.runid for state in states]


def autoflush(session: Session) -> None:
    """Write pending changes, as SQLAlchemy does before a statement: not where it is told not to, nor within a flush."""
    session._autoflush()


def limit_of(state: State, prop: RelationshipProperty[Any]) -> Any:
    """Give the option that limits *prop* of *state*, such as `lazyload(Order.lines.and_(...))`; None if there is none.

    Expiring an entity takes it away, and leaves it with those that came with it.
    """
    option = getattr(state.callables.get(prop.key), "loadopt", None)
    return option if option is not None and option._extra_criteria else None


def newest(session: Session, most: int) -> list[State]:
    """Give those that the session has held for the shortest time, *most* at the most."""
    # In one go: while Python runs, an entity that nobody holds may leave the map.
    return list(islice(reversed(session.identity_map._dict.values()), most))[::-1]


def criterion_of(attribute: QueryableAttribute[Any]) -> ColumnElement[bool] | None:
    """Give what `Order.lines.and_(...)` says; None if nothing."""
    criteria = attribute._extra_criteria
    return and_(*criteria) if criteria else None


def load_relationship(
    prop: RelationshipProperty[Any],
    states: Sequence[State],
    *,
    criterion: ColumnElement[bool] | None = None,
    force: bool = False,
) -> None:
    """Load *prop* for all *states*: in one statement, or one for each chunk of keys.

    They came with the same options, and `limit_of` gives the same of each, which holds unless there is a *criterion*.
    A many-to-one whose entity the session holds is taken from there. What is loaded already stays, unless *force*.
    """
    if criterion is None and limit_of(states[0], prop) is not None:
        criterion = states[0].callables[prop.key].extra_criteria  # type: ignore[attr-defined] # SQLAlchemy's
    asked = states if force else _missing(prop, states, is_limited=criterion is not None)
    if asked:
        loader: Any = prop._get_strategy(_SELECTIN)
        option = _Option(criterion, keys_at_once(loader._query_info.pk_cols))
        # As SQLAlchemy's lazy loader has it: only who came with options has a path to where they hold.
        path: Any = asked[0].load_path if asked[0].load_options else asked[0].mapper._path_registry
        context = _Context(asked[0].session, asked[0].load_options)
        pairs = [(state, force) for state in asked]
        loader._load_for_path(context, path, pairs, None, loader.entity, option, None, EMPTY_DICT)


def _missing(prop: RelationshipProperty[Any], states: Sequence[State], *, is_limited: bool) -> Sequence[State]:
    unloaded = [state for state in states if prop.key not in state.dict]
    return unloaded if is_limited else [state for state in unloaded if not _is_in_session(prop, state)]


def _is_in_session(prop: RelationshipProperty[Any], state: State) -> bool:
    """Tell whether what *prop* leads to is there, and has been put in its place."""
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

    def __init__(self, criterion: ColumnElement[bool] | None, chunksize: int) -> None:
        self._criterion = criterion
        self._extra_criteria = () if criterion is None else (criterion,)
        self.local_opts = {"chunksize": chunksize}

    def _generate_extra_criteria(self, _context: Any) -> Any:
        return self._criterion
