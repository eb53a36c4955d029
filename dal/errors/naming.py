"""The one seam through which a driver's error becomes one of dal's.

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

from dal.errors.conditions import (
    BY_SQLSTATE,
    CannotConnect,
    ConnectionLost,
    DataException,
    InvalidAuthorization,
    InvalidCatalogName,
    UndefinedTable,
)
from dal.errors.database_error import DatabaseError

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


def is_connection_lost(error: BaseException, *, closed: bool) -> bool:
    """Tell whether the driver's *error* leaves open what became of its statement; *closed* as the connection is now."""
    return issubclass(_kind_of(error, disconnected=closed), ConnectionLost)


def _kind_of(error: BaseException, *, disconnected: bool) -> type[DatabaseError]:
    sqlstate: str | None = getattr(error, "sqlstate", None)
    if sqlstate:
        return BY_SQLSTATE.get(sqlstate) or BY_SQLSTATE.get(sqlstate[:2]) or DatabaseError
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
