"""The loader option under every read of a repository: a relationship that nobody loaded raises, and says what to add.

The one module that uses SQLAlchemy's private loader strategies: `_LazyLoader`, `_LoadLazyAttribute`, `_WildcardLoad`
and an instance's own callables, held by a contract test. Without them reads fall back to `raiseload("*")`, which raises
too but cannot say what to add.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from sqlalchemy import inspect
from sqlalchemy.orm import InstanceState, PassiveFlag, RelationshipProperty, raiseload
from sqlalchemy.orm.interfaces import ORMOption

from dal.errors import NotLoaded

_STRATEGY: Final = "dal_raise"


def raise_unloaded() -> ORMOption:
    """Make every relationship that the statement and the mapping leave lazy raise `NotLoaded` instead of sending SQL.

    A many-to-one whose entity is already in the session still answers, since that sends nothing. Relationships mapped
    to load eagerly keep doing so, and every option given for a relationship wins over this one.
    """
    return _option


def raise_unloaded_of(entity: object) -> None:
    """Make the relationships of a new *entity* that nobody filled raise `NotLoaded` too: no statement read it."""
    state: InstanceState[Any] = inspect(entity)
    for prop in state.mapper.relationships:
        if prop.key not in state.dict:
            _raise_for(state, prop)


def _not_loaded(state: InstanceState[Any], prop: RelationshipProperty[Any]) -> NotLoaded:
    loader = "selectinload" if prop.uselist else "joinedload"
    name = f"{prop.parent.class_.__name__}.{prop.key}"
    found = "" if state.session else " and its session is over"
    return NotLoaded(f"{name} was not loaded{found}: read it with options=[{loader}({name})].")


try:
    from sqlalchemy.orm.strategies import _LazyLoader, _LoadLazyAttribute
    from sqlalchemy.orm.strategy_options import _WildcardLoad
except ImportError:  # pragma: no cover # a SQLAlchemy that renamed them; the contract test says so first
    _option: ORMOption = raiseload("*", sql_only=True)

    def _raise_for(state: InstanceState[Any], prop: RelationshipProperty[Any]) -> None:
        """Leave it to SQLAlchemy, which raises `MissingGreenlet`."""

else:

    @RelationshipProperty.strategy_for(lazy=_STRATEGY)
    class _RaisingLoader(_LazyLoader):
        """SQLAlchemy's lazy loader, up to the moment where it would send SQL."""

        def __init__(self, parent: RelationshipProperty[Any], strategy_key: Any) -> None:
            super().__init__(parent, strategy_key)
            self._raise_on_sql = True
            self._eager = None if type(parent.strategy) is _LazyLoader else parent.strategy

        def setup_query(self, *arguments: Any, **options: Any) -> None:
            if self._eager is not None:
                self._eager.setup_query(*arguments, **options)

        def create_row_processor(self, *arguments: Any, **options: Any) -> None:
            if self._eager is not None:
                self._eager.create_row_processor(*arguments, **options)
            else:
                super().create_row_processor(*arguments, **options)  # type: ignore[no-untyped-call] # SQLAlchemy's

        def _load_for_state(self, state: InstanceState[Any], passive: PassiveFlag, *more: Any, **options: Any) -> Any:
            if state.session is None and passive & PassiveFlag.SQL_OK and not passive & PassiveFlag.NO_RAISE:
                raise _not_loaded(state, self.parent_property)
            return super()._load_for_state(state, passive, *more, **options)  # type: ignore[no-untyped-call] # SQLAlchemy's

        def _invoke_raise_load(self, state: InstanceState[Any], passive: PassiveFlag, lazy: str) -> NoReturn:
            raise _not_loaded(state, self.parent_property)

    def _raise_for(state: InstanceState[Any], prop: RelationshipProperty[Any]) -> None:
        strategy = prop._get_strategy((("lazy", _STRATEGY),))
        load = _LoadLazyAttribute(prop.key, strategy, None, ())  # type: ignore[no-untyped-call] # SQLAlchemy's
        set_callable = InstanceState._instance_level_callable_processor(state.manager, load, prop.key)
        set_callable(state, state.dict, None)  # type: ignore[arg-type] # it takes a row and does not look at it

    # What raiseload("*") builds, with another strategy in it; "_sa_default" is how SQLAlchemy spells its "*".
    _option = _WildcardLoad()._set_relationship_strategy("_sa_default", {"lazy": _STRATEGY})  # type: ignore[arg-type]
