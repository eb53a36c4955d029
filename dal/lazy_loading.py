"""What a relationship does when it is read that no statement loaded, said of an engine, a repository or a statement.

Refuses: loading.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, TypeAlias, get_args

from sqlalchemy.orm import InstanceState, QueryableAttribute, RelationshipProperty, Session
from sqlalchemy.orm.interfaces import ORMOption, UserDefinedOption

from dal.errors import ConfigError

# - off: as SQLAlchemy does, a statement for each entity.
# - batch: one statement for all entities that came with it.
# - warn: the same, and each line of code that asks is logged once.
# - raise_n_plus_one: one entity of those that came together may load; the second one raises `NPlusOne`.
# - raise: `NotLoaded`.
Lazy: TypeAlias = Literal["off", "batch", "warn", "raise_n_plus_one", "raise"]

MODES: Final[tuple[Lazy, ...]] = get_args(Lazy)
# In a session's or a relationship's `info`.
INFO: Final = "dal_lazy"
# In a session's: so many entities at the most load together. Their keys, and what belongs to them, are all in memory.
MAX_GROUP_INFO: Final = "dal_max_group"
MAX_GROUP: Final = 10_000


class LazyOption(UserDefinedOption):
    """A mode for the attributes named, or for all; a *default* gives way to what the mapping says of a relationship."""

    __slots__ = ("attributes", "is_default", "mode")

    propagate_to_loaders = True

    def __init__(self, mode: Lazy, attributes: Iterable[RelationshipProperty[Any]], *, is_default: bool) -> None:
        super().__init__()
        self.mode: Lazy = checked(mode)
        # By name: entities keep their options, and are pickled with them.
        self.attributes = frozenset(map(_name, attributes))
        self.is_default = is_default


def lazy(mode: Lazy, *attributes: QueryableAttribute[Any]) -> ORMOption:
    """Set what relationships that this statement leaves unloaded do when they are read: *attributes*, or all.

    For `options=`; also of the entities that are reached from those of the statement. It is stronger than
    `relationship(info={"dal_lazy": ...})`, which is stronger than a repository's and a database's `lazy`.
    """
    return LazyOption(mode, [relationship_of(each) for each in attributes], is_default=False)


def checked(mode: Lazy) -> Lazy:
    """Give *mode* back; raises `ConfigError` unless it is one."""
    if mode not in MODES:
        raise ConfigError(f"lazy is one of {', '.join(MODES)}, not {mode!r}.")
    return mode


def relationship_of(attribute: Any) -> RelationshipProperty[Any]:
    """Give the relationship that *attribute* is; raises `TypeError` for what is none, or holds no entities."""
    prop = getattr(attribute, "property", None)
    if not isinstance(prop, RelationshipProperty):
        raise TypeError(f"{attribute} is no relationship: name an attribute such as Order.lines.")
    if prop.lazy in ("dynamic", "write_only"):
        raise TypeError(f"{attribute} is {prop.lazy}: it holds no entities to load. Execute the select() of it.")
    return prop


def _name(prop: RelationshipProperty[Any]) -> tuple[type[Any], str]:
    return prop.parent.class_, prop.key


def mode_of(session: Session, state: InstanceState[Any], prop: RelationshipProperty[Any]) -> Lazy:
    """Give the mode for a relationship of an entity: the nearest that somebody set."""
    options = [option for option in state.load_options if isinstance(option, LazyOption)]
    for option in reversed(options):
        if _name(prop) in option.attributes:
            return option.mode
    everything = [option for option in options if not option.attributes]
    for option in reversed(everything):
        if not option.is_default:
            return option.mode
    if INFO in prop.info:
        return checked(prop.info[INFO])
    return everything[-1].mode if everything else session.info.get(INFO, "off")
