"""Every error dal raises, and the one seam through which a driver's error becomes one of them.

A server's error is told apart by its SQLSTATE, never by its class or its words: SQLAlchemy reports deadlocks,
serialization failures, lock timeouts and cancellations on asyncpg as a bare `DBAPIError`, and a server's words come in
its own language. Refuses: retrying, and anything that is not about naming what went wrong.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import asyncpg
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import ExceptionContext


class DALError(Exception):
    """The root of every error of dal."""


class ConfigError(DALError):
    """A URL, a number or a server that dal cannot work with; nothing was sent."""


class MissingExtra(DALError):
    """A part of dal was used whose packages are not installed."""


class NotFound(DALError):
    """No row has the identity asked for."""


class NotLoaded(DALError, sa_exc.InvalidRequestError):
    """A relationship was read that its statement did not load."""


class UnitOfWorkError(DALError):
    """A unit of work was used before its beginning, after its end, or twice."""


class CopyError(DALError):
    """The records do not fit the table; nothing was loaded."""


class WriteError(DALError):
    """Rows or conditions that a write in sets cannot take; nothing was written."""


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


class DatabaseError(DALError, sa_exc.DBAPIError):
    """The server, or the driver in its place, refused a statement.

    `sqlstate` is None only for errors that arose on the client's side and have none. `constraint`, `table`, `column`,
    `server_detail` and `server_hint` are as the server sent them; the detail may hold values of rows, so it is never
    part of the message. (`detail` is SQLAlchemy's own list of remarks.)
    """

    sqlstate: str | None = None
    constraint: str | None = None
    table: str | None = None
    column: str | None = None
    server_detail: str | None = None
    server_hint: str | None = None

    def __init__(self, message: str, statement: str | None = None, orig: BaseException | None = None) -> None:
        # Past DBAPIError's own, which would put the driver's whole text, values and all, into the message.
        sa_exc.StatementError.__init__(self, message, statement, None, orig, hide_parameters=True)

    def __str__(self) -> str:
        return "; ".join([str(self.args[0]), *self.detail])

    def __reduce__(self) -> tuple[object, ...]:
        # The driver's exception may not be picklable; everything worth knowing was copied from it.
        return type(self), (str(self.args[0]), self.statement), {**self.__dict__, "orig": None}


class IntegrityViolation(DatabaseError, sa_exc.IntegrityError):
    """SQLSTATE class 23."""


class UniqueViolation(IntegrityViolation):
    """SQLSTATE 23505."""


class ForeignKeyViolation(IntegrityViolation):
    """SQLSTATE 23503."""


class NotNullViolation(IntegrityViolation):
    """SQLSTATE 23502."""


class CheckViolation(IntegrityViolation):
    """SQLSTATE 23514."""


class ExclusionViolation(IntegrityViolation):
    """SQLSTATE 23P01."""


class DataException(DatabaseError, sa_exc.DataError):
    """SQLSTATE class 22: a value does not fit. The server's words for these hold the value, so they are hidden."""


class TransactionRollback(DatabaseError, sa_exc.OperationalError):
    """SQLSTATE class 40: the whole transaction is lost, and may be run again."""


class SerializationFailure(TransactionRollback):
    """SQLSTATE 40001."""


class DeadlockDetected(TransactionRollback):
    """SQLSTATE 40P01."""


class LockNotAvailable(DatabaseError, sa_exc.OperationalError):
    """SQLSTATE 55P03."""


class QueryCanceled(DatabaseError, sa_exc.OperationalError):
    """SQLSTATE 57014: statement_timeout, or a cancel request."""


class InsufficientResources(DatabaseError, sa_exc.OperationalError):
    """SQLSTATE class 53: too many connections, disk full, out of memory."""


class ConnectionLost(DatabaseError, sa_exc.OperationalError):
    """SQLSTATE class 08, 57P01 to 57P03, and sockets that broke: the statement's outcome is unknown."""


class CannotConnect(ConnectionLost):
    """SQLSTATE 08001, 57P03: there was no connection to begin with; nothing was sent."""


class InvalidAuthorization(DatabaseError, sa_exc.OperationalError):
    """SQLSTATE class 28: the role or its password was refused."""


class InvalidCatalogName(DatabaseError, sa_exc.OperationalError):
    """SQLSTATE 3D000: the database does not exist."""


class UndefinedTable(DatabaseError, sa_exc.ProgrammingError):
    """SQLSTATE 42P01."""


class InsufficientPrivilege(DatabaseError, sa_exc.ProgrammingError):
    """SQLSTATE 42501."""


class StatementRefused(DatabaseError, sa_exc.ProgrammingError):
    """The rest of SQLSTATE class 42: syntax, names, types."""


# The most exact entry wins: five characters, then the class of two.
_BY_SQLSTATE: Final[dict[str, type[DatabaseError]]] = {
    "08": ConnectionLost,
    "08001": CannotConnect,
    "22": DataException,
    "23": IntegrityViolation,
    "23502": NotNullViolation,
    "23503": ForeignKeyViolation,
    "23505": UniqueViolation,
    "23514": CheckViolation,
    "23P01": ExclusionViolation,
    "28": InvalidAuthorization,
    "3D000": InvalidCatalogName,
    "40": TransactionRollback,
    "40001": SerializationFailure,
    "40P01": DeadlockDetected,
    "42": StatementRefused,
    "42501": InsufficientPrivilege,
    "42P01": UndefinedTable,
    "53": InsufficientResources,
    "55P03": LockNotAvailable,
    "57014": QueryCanceled,
    "57P01": ConnectionLost,
    "57P02": ConnectionLost,
    "57P03": CannotConnect,
}

_WHAT_TO_DO: Final[dict[type[DatabaseError], str]] = {
    CannotConnect: "Is the server running, and do host and port point at it?",
    InvalidAuthorization: "Check user and password in the URL, and pg_hba.conf on the server.",
    InvalidCatalogName: "Create the database, or correct the name in the URL.",
    UndefinedTable: "Is the database migrated? alembic upgrade head",
}

_DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)


def from_driver(
    error: BaseException,
    *,
    statement: str | None = None,
    orig: BaseException | None = None,
    hide_parameters: bool = True,
    disconnected: bool = False,
) -> DatabaseError:
    """Name the driver's *error* by its SQLSTATE.

    *orig* is what `DatabaseError.orig` shows, SQLAlchemy's wrapper where there is one; *disconnected* is the caller's
    knowledge that the connection is gone, for errors without a SQLSTATE.
    """
    kind = _kind_of(error, disconnected=disconnected)
    named = kind(_message_of(error, kind, hide_parameters=hide_parameters), statement, orig or error)
    named.sqlstate = getattr(error, "sqlstate", None)
    named.constraint = getattr(error, "constraint_name", None)
    named.table = getattr(error, "table_name", None)
    named.column = getattr(error, "column_name", None)
    named.server_detail = getattr(error, "detail", None)
    named.server_hint = getattr(error, "hint", None)
    named.connection_invalidated = disconnected
    if hide_parameters:
        _hide_values(orig or error, named)
    return named


def from_sqlalchemy(context: ExceptionContext) -> DatabaseError | None:
    """Name the error of a statement that SQLAlchemy sent; the engine's `handle_error` listener."""
    wrapped = context.sqlalchemy_exception
    if not isinstance(wrapped, sa_exc.DBAPIError) or isinstance(wrapped, DatabaseError):
        return None
    # Not wrapped.driver_exception: it raises for the one error that the dialect re-makes without its origin.
    origin = getattr(wrapped.orig, "orig", None) or wrapped.orig
    return from_driver(
        origin or wrapped,
        statement=context.statement,
        orig=wrapped.orig,
        hide_parameters=wrapped.hide_parameters,
        disconnected=context.is_disconnect,
    )


def from_connect(error: BaseException, where: str) -> DatabaseError:
    """Name the *error* of an attempt to connect to *where* (user, host and port, never a password)."""
    if getattr(error, "sqlstate", None):
        named = from_driver(error)
        named.args = (f"cannot connect to {where}: {named.args[0]}",)
        return named
    reason = "no answer in time" if isinstance(error, TimeoutError) else _words_of(error)
    named = CannotConnect(f"cannot connect to {where}: {reason}. {_WHAT_TO_DO[CannotConnect]}", None, error)
    named.sqlstate = "08001"
    return named


@contextmanager
def driver_errors_named(*, driver: asyncpg.Connection | None = None, hide_parameters: bool = True) -> Generator[None]:
    """Name the errors of asyncpg calls that do not pass through SQLAlchemy; *driver* knows whether it is lost."""
    try:
        yield
    except _DRIVER_ERRORS as error:
        lost = driver is not None and driver.is_closed()
        raise_named(error, hide_parameters=hide_parameters, disconnected=lost)


def raise_named(error: BaseException, *, hide_parameters: bool = True, disconnected: bool = False) -> None:
    """Raise the driver's *error* by its name; return if it is none of the driver's.

    *disconnected* is the caller's knowledge that the connection is gone.
    """
    if isinstance(error, _DRIVER_ERRORS):
        lost = disconnected or isinstance(error, ConnectionError)
        raise from_driver(error, hide_parameters=hide_parameters, disconnected=lost) from error


@contextmanager
def extra_needed(extra: str) -> Generator[None]:
    """Turn the import of a package that is not installed into one line that names dal's *extra* for it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "dal":
            raise
        raise MissingExtra(f"{error.name} is not installed: pip install 'dal[{extra}]'") from error


def _kind_of(error: BaseException, *, disconnected: bool) -> type[DatabaseError]:
    sqlstate: str | None = getattr(error, "sqlstate", None)
    if sqlstate:
        return _BY_SQLSTATE.get(sqlstate) or _BY_SQLSTATE.get(sqlstate[:2]) or DatabaseError
    if isinstance(error, asyncpg.DataError):
        return DataException
    return ConnectionLost if disconnected else DatabaseError


def _message_of(error: BaseException, kind: type[DatabaseError], *, hide_parameters: bool) -> str:
    if issubclass(kind, DataException) and hide_parameters:
        condition = _condition_of(error) if getattr(error, "sqlstate", None) else "a value does not fit its column"
        words = f"{condition}. The value is hidden; hide_parameters=False shows it."
    else:
        words = _words_of(error)
    sqlstate = getattr(error, "sqlstate", None)
    message = f"{words} (SQLSTATE {sqlstate})" if sqlstate else words
    advice = _WHAT_TO_DO.get(kind)
    return f"{message}. {advice}" if advice else message


def _hide_values(error: BaseException | None, named: DatabaseError) -> None:
    """Take the values out of the errors under *named*: a traceback prints them all."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        vars(error).update(detail=None)
        if isinstance(named, DataException):
            error.args = named.args
        error = error.__cause__ or error.__context__


def _condition_of(error: BaseException) -> str:
    """Spell PostgreSQL's condition name: asyncpg names its classes after them."""
    name = type(error).__name__.removesuffix("Error")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _words_of(error: BaseException) -> str:
    """Say the primary message only: asyncpg's str() appends the detail, which may hold values of rows."""
    if isinstance(error, OSError):
        # A failed connect to several addresses carries one text per address; the first says it.
        known = error.errno in errno.errorcode
        return os.strerror(error.errno or 0).lower() if known else error.strerror or type(error).__name__
    text = str(error.args[0]) if error.args else type(error).__name__
    return text.splitlines()[0] if text else type(error).__name__
