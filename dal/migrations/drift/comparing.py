"""Three of a kind: which of models, migrations and database is unlike the others. Pure.

Refuses: telling whether a definition is right; it is compared as a text that PostgreSQL wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dal.migrations.drift.catalog import Catalog, Key
from dal.migrations.drift.difference import INVALID, Difference, Side
from dal.migrations.drift.models import ModelsHave

# What autogenerate compares: of these, models without a difference have what the migrations have.
_OF_MODELS: Final = frozenset({"table", "column", "index", "constraint", "comment on table", "comment on column"})
# Of an index or a constraint, to Alembic it is one like any other.
_UNSEEN: Final = (INVALID, " NOT VALID")


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to compare.

    `done` are the migrations up to the database's revision, `head` all of them; `models` is what the models have
    otherwise than `head`, None if there are no models; `unfit` is what they have otherwise than the database, None if
    nobody has looked.
    """

    database: Catalog
    done: Catalog
    head: Catalog
    models: Mapping[Key, ModelsHave] | None
    unfit: frozenset[Key] | None = None

    @property
    def both(self) -> frozenset[Key]:
        """What differs from the migrations in models and database: they may be the same."""
        return frozenset(self.models or ()) & differing(self.done, self.database)


def differing(one: Catalog, other: Catalog) -> frozenset[Key]:
    """Name what is not the same in both; what a missing object consists of is missing with it."""
    unlike = {key for key in one.keys() | other.keys() if one.get(key) is None or one.get(key) != other.get(key)}
    return frozenset(key for key in unlike if not _goes_with_another(key, one, other))


def differences(seen: Seen) -> tuple[Difference, ...]:
    """List all, by kind and name."""
    by_hand = differing(seen.done, seen.database)
    keys = sorted(by_hand | (seen.models or {}).keys(), key=lambda key: (key[0].startswith("comment"), key[1], key[0]))
    return tuple(_difference(key, seen, key in by_hand) for key in keys)


def _goes_with_another(key: Key, one: Catalog, other: Catalog) -> bool:
    for here, there in ((one, other), (other, one)):
        if key in here and key not in there:
            parent = here[key].parent
            return parent is not None and parent not in there
    return False


def _difference(key: Key, seen: Seen, is_by_hand: bool) -> Difference:  # noqa: FBT001 # of this module
    kind, name = key
    database, done, head = (_definition(key, catalog) for catalog in (seen.database, seen.done, seen.head))
    has = (seen.models or {}).get(key)
    if has is None:
        has_say = seen.models is not None and kind in _OF_MODELS and done == head
        models: dict[Side, str | None] = {"models": head} if has_say else {}
        told: dict[Side, str | None] = {**models, "migrations": done, "database": database}
        return Difference(kind, name, "database", told, is_pending=done != head and database == head)
    told = {"models": has.definition, "migrations": head}
    if not is_by_hand:
        return Difference(kind, name, "models", {**told, **({"database": database} if done == head else {})})
    is_valid = database is None or not database.endswith(_UNSEEN)
    fits = seen.unfit is not None and key not in seen.unfit and is_valid
    return Difference(kind, name, "migrations" if fits else "all", {**told, "database": database})


def _definition(key: Key, catalog: Catalog) -> str | None:
    entry = catalog.get(key)
    return None if entry is None else entry.definition
