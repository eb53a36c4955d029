"""What dal itself finds wrong: the root of the tree, and its errors that no server and no driver raised.

Refuses: anything with a SQLSTATE.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from sqlalchemy import exc as sa_exc
from sqlalchemy.orm import exc as orm_exc

E = TypeVar("E", bound=Exception)


class DALError(Exception):
    """The root of every error of dal."""


class ConfigError(DALError):
    """A URL, a number or a server that dal cannot work with; nothing was sent."""


class MissingExtra(DALError):
    """A part of dal was used whose packages are not installed."""


class NotFound(DALError):
    """No row has the identity asked for."""


class NotLoaded(DALError, sa_exc.InvalidRequestError, orm_exc.DetachedInstanceError):
    """A relationship was read that its statement did not load."""

    code = ""  # not that of a detached instance, whose link says less than the message


class NPlusOne(NotLoaded):
    """A relationship was read of a second one of the entities that came together: each would be a statement."""


class TooManyStatements(DALError):
    """More statements than `max_statements` allows; the one too many was not sent."""


class UnitOfWorkError(DALError):
    """A unit of work was used before its beginning, after its end, or twice; or is missing where one is needed."""


class UnitOfWorkTimeout(DALError, TimeoutError):
    """A transaction took longer than the `timeout_s` it was given; it was rolled back."""


class CommitOutcomeUnknown(DALError):
    """The connection was lost between COMMIT and its answer: the transaction is there whole, or not at all."""


class StaleEntity(DALError, orm_exc.StaleDataError):
    """An entity was changed or deleted by somebody else since it was read; nothing of the flush was written.

    `entity` is the name of its class, `identity` its primary key; `expected` is the version that was read, `found` the
    version that its row has, None if the row is gone.
    """

    def __init__(self, entity: str, identity: tuple[Any, ...], expected: int, found: int | None) -> None:
        row = "its row is gone" if found is None else f"its row has version {found}"
        super().__init__(
            f"{entity} was read at version {expected}, and {row}: somebody else was faster. Read it again, and make "
            "the change once more if it still makes sense."
        )
        self.entity, self.identity, self.expected, self.found = entity, identity, expected, found

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.entity, self.identity, self.expected, self.found)


class CopyError(DALError):
    """The records do not fit the table; nothing was loaded."""


class WriteError(DALError):
    """Rows or conditions that a write in sets cannot take; nothing was written."""


class ProjectionError(DALError):
    """A type that cannot be read from a mapped class; nothing was sent, unless it refused a row that was read."""


class KeysetError(DALError):
    """A page was asked for that cannot be: by its bookmark, its ordering, its limit; nothing was sent."""


class MigrationError(DALError):
    """A database is not at the revision it must be at, or could not be brought there."""


class FactoryError(DALError):
    """No valid entity can be made for a test from what its mapping tells."""


class SandboxBroken(DALError):
    """A sandbox's transaction was ended by other means than its own: what was written may be there for good."""


class PoolError(DALError):
    """No connection could be had from the pool."""


class PoolTimeout(PoolError, sa_exc.TimeoutError):
    """Every connection stayed out for as long as a checkout may wait; what the last connect failed of is its cause."""


class PoolOverloaded(PoolError, sa_exc.TimeoutError):
    """More is asked of the pool than it can serve: this one was told early, having sent nothing.

    `retry_after_s` estimates, in seconds, when those who wait will have been served.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return str(self.args[0])


class PoolClosed(PoolError):
    """The pool gives no connections any more."""


class PoolMisused(PoolError):
    """A pool was touched from another loop, thread or process than its own, or a checkout was entered twice."""


def own_copy(error: E) -> E:
    """Copy an *error* of dal's that several tasks have at once: with all its fields, to be raised in one of them."""
    copied = copy.copy(error)
    copied.__dict__.update(error.__dict__)  # what is in no pickle too
    return copied
