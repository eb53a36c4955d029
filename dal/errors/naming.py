"""The one seam through which a driver's error becomes one of dal's.

A server's error is told apart by its SQLSTATE, never by its class or its words: SQLAlchemy reports deadlocks,
serialization failures, lock timeouts and cancellations on asyncpg as a bare `DBAPIError`, and a server's words come in
its own language. Refuses: retrying, and anything that is not about naming what went wrong.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import asyncpg
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import ExceptionContext

from dal.errors.connection import CannotConnect, ConnectionException, ConnectionLost
from dal.errors.data import DataException
from dal.errors.database_error import DatabaseError, class_of
from dal.errors.encryption import tls_failure
from dal.errors.own import ConfigError
from dal.errors.words import hide_values, message_of, tells_a_value, words_of

_DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)
# What the driver says by itself of a connection that is gone.
_UNHEARD: Final = (
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionError,
)


def from_driver(
    error: BaseException,
    *,
    statement: str | None = None,
    orig: BaseException | None = None,
    parameters: Any = (),
    hide_parameters: bool = True,
    disconnected: bool = False,
) -> DatabaseError:
    """Name the driver's *error* by its SQLSTATE.

    *orig* is what `DatabaseError.orig` shows, SQLAlchemy's wrapper where there is one; *parameters* are what the words
    must not repeat; *disconnected* is the caller's knowledge that the connection is gone, for errors without a
    SQLSTATE.
    """
    told = _last_words_behind(error)
    kind = _kind_of(told, disconnected=disconnected)
    hidden = hide_parameters and tells_a_value(told, kind, parameters)
    named = kind(message_of(told, kind, hidden=hidden), statement, orig or error)
    _copy_fields(told, named)
    named.connection_invalidated = disconnected
    named.hide_parameters = hide_parameters
    if hide_parameters:
        hide_values(orig or error, named if hidden else None)
    return named


def from_sqlalchemy(context: ExceptionContext) -> DatabaseError | None:
    """Name the error of a statement that SQLAlchemy sent; the engine's `handle_error` listener."""
    wrapped = context.sqlalchemy_exception
    if isinstance(wrapped, DatabaseError):
        return None
    if not isinstance(wrapped, sa_exc.DBAPIError):
        return _from_stream(context)
    # Not wrapped.driver_exception: it raises for the one error that the dialect re-makes without its origin.
    origin = getattr(wrapped.orig, "orig", None) or wrapped.orig
    _hear(origin, _driver_of(context))
    return from_driver(
        origin or wrapped,
        statement=context.statement,
        orig=wrapped.orig,
        parameters=context.parameters,
        hide_parameters=wrapped.hide_parameters,
        disconnected=context.is_disconnect,
    )


def from_connect(error: BaseException, where: str) -> DatabaseError | ConfigError:
    """Name the *error* of an attempt to connect to *where* (user, host and port, never a password)."""
    if isinstance(error, asyncpg.exceptions.ClientConfigurationError):
        hint = getattr(error, "hint", None)
        return ConfigError(f"cannot connect to {where}: {words_of(error)}. {hint or ''}".rstrip())
    failure = tls_failure(error)
    if failure is None and getattr(error, "sqlstate", None):
        named = from_driver(error)
        named.args = (f"cannot connect to {where}: {named.args[0]}",)
        return named
    reason = "no answer in time" if isinstance(error, TimeoutError) else words_of(error)
    what, advice = failure or (reason, CannotConnect.advice)
    named = CannotConnect(f"cannot connect to {where}: {what}. {advice}", None, error)
    named.sqlstate = "08001"
    return named


@contextmanager
def driver_errors_named(*, driver: asyncpg.Connection | None = None, hide_parameters: bool = True) -> Generator[None]:
    """Name the errors of asyncpg calls that do not pass through SQLAlchemy; *driver* knows whether it is lost."""
    try:
        yield
    except _DRIVER_ERRORS as error:
        lost = driver is not None and driver.is_closed()
        raise_named(error, driver=driver, hide_parameters=hide_parameters, disconnected=lost)


def raise_named(
    error: BaseException,
    *,
    driver: asyncpg.Connection | None = None,
    statement: str | None = None,
    parameters: Any = (),
    hide_parameters: bool = True,
    disconnected: bool = False,
) -> None:
    """Raise *driver*'s *error* by its name; return if it is none of the driver's.

    *disconnected* is the caller's knowledge that the connection is gone.
    """
    if isinstance(error, _DRIVER_ERRORS):
        _hear(error, driver)
        lost = disconnected or isinstance(error, ConnectionError)
        raise from_driver(
            error, statement=statement, parameters=parameters, hide_parameters=hide_parameters, disconnected=lost
        ) from error


def is_connection_lost(error: BaseException, *, closed: bool) -> bool:
    """Tell whether the driver's *error* leaves open what became of its statement; *closed* as the connection is now."""
    return issubclass(_kind_of(error, disconnected=closed), ConnectionLost)


def _from_stream(context: ExceptionContext) -> DatabaseError | None:
    """Name an error in the middle of a server-side cursor's rows: SQLAlchemy lets the driver's own through."""
    error = context.original_exception
    if not isinstance(error, _DRIVER_ERRORS):
        return None
    driver = _driver_of(context)
    context.is_disconnect = driver is not None and driver.is_closed()
    _hear(error, driver)
    return from_driver(
        error,
        statement=context.statement,
        parameters=context.parameters,
        hide_parameters=context.engine is None or context.engine.hide_parameters,
        disconnected=context.is_disconnect,
    )


def _driver_of(context: ExceptionContext) -> asyncpg.Connection | None:
    connection = context.connection
    if connection is None or connection.closed or connection.invalidated:
        return None
    return connection.connection.driver_connection


def _hear(error: BaseException | None, driver: asyncpg.Connection | None) -> None:
    """Put what the server said before it closed the connection under the *error* of a driver that did not hear it."""
    last_words = getattr(driver, "last_words", None)
    if last_words is not None and isinstance(error, _UNHEARD) and error.__cause__ is None:
        error.__cause__ = last_words.error()


def _last_words_behind(error: BaseException) -> BaseException:
    """Find what the server said before it closed the connection: to the driver that is only the cause of its own."""
    cause = error.__cause__
    if cause is None or not isinstance(error, _UNHEARD):
        return error
    return cause if issubclass(class_of(getattr(cause, "sqlstate", "") or ""), ConnectionLost) else error


def _kind_of(error: BaseException, *, disconnected: bool) -> type[DatabaseError]:
    sqlstate: str | None = getattr(error, "sqlstate", None)
    if sqlstate:
        # Said in English by every server (field V). A server that says of class 08 no more than ERROR is still there.
        is_there = sqlstate[:2] == "08" and getattr(error, "severity_en", None) == "ERROR" and not disconnected
        return ConnectionException if is_there else class_of(sqlstate)
    if isinstance(error, asyncpg.DataError):
        return DataException
    return ConnectionLost if disconnected else DatabaseError


def _copy_fields(error: BaseException, named: DatabaseError) -> None:
    named.sqlstate = getattr(error, "sqlstate", None)
    named.constraint = getattr(error, "constraint_name", None)
    named.schema = getattr(error, "schema_name", None)
    named.table = getattr(error, "table_name", None)
    named.column = getattr(error, "column_name", None)
    position = getattr(error, "position", None)
    named.position = int(position) if position else None
    named.server_detail = getattr(error, "detail", None)
    named.server_hint = getattr(error, "hint", None)
