"""What the message of a driver's error says, and what it must not: no value of a row or of a parameter.

Refuses: deciding by words what went wrong.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from typing import Any, Final

import asyncpg

from dal.errors.data import DataException
from dal.errors.database_error import DatabaseError
from dal.errors.rights import rights_of
from dal.errors.server import PlpgsqlError
from dal.errors.statement import InsufficientPrivilege

# The server's own functions that deny a right to an object, not to a row, and not for want of an attribute.
_DENIES: Final = frozenset({"aclcheck_error", "aclcheck_error_type"})
_DENIES_TEMPORARY: Final = "InitTempTableNamespace"


def tells_a_value(error: BaseException, kind: type[DatabaseError], parameters: Any) -> bool:
    """Say whether the server's words hold a value, or may: a cast to regclass makes a name of one.

    What a function of the application's raises is the application's own.
    """
    if issubclass(kind, (DataException, PlpgsqlError)):
        return issubclass(kind, DataException)
    words = _told(error, kind)
    # There may be thousands: only what is in the words at all is worth an expression.
    found = (value for value in _texts_in(parameters) if value in words)
    return any(re.search(rf"(?<!\w){re.escape(value)}(?!\w)", words) for value in found)


def _texts_in(parameters: Any) -> Iterator[str]:
    if isinstance(parameters, dict):
        parameters = parameters.values()
    elif parameters is None or isinstance(parameters, (bool, bytes)):
        return
    elif isinstance(parameters, str) or not hasattr(parameters, "__iter__"):
        if str(parameters):
            yield str(parameters)
        return
    for each in parameters:
        yield from _texts_in(each)


def message_of(error: BaseException, kind: type[DatabaseError], *, hidden: bool) -> str:
    """Make the one line that says what happened, its SQLSTATE, what it concerns, and what to do."""
    sqlstate = getattr(error, "sqlstate", None)
    if hidden:
        condition = _condition_of(error, kind) if sqlstate else "a value does not fit its column"
        words = f"{condition}. The value is hidden; hide_parameters=False shows it."
    else:
        words = _told(error, kind)
    message = f"{words} (SQLSTATE {sqlstate}){_where(error, words)}" if sqlstate else words
    if rights := _rights(error):
        message = f"{message}. It takes {rights}"
    return f"{message}. {kind.advice}" if kind.advice else message


def _told(error: BaseException, kind: type[DatabaseError]) -> str:
    """Say what the server says; of a right that is missing also which it takes, unless a function raises it."""
    detail = str(getattr(error, "detail", None) or "")
    is_raised = getattr(error, "server_source_function", None) == "exec_stmt_raise"  # its detail may hold values
    if not detail or is_raised or not issubclass(kind, InsufficientPrivilege):
        return words_of(error)
    return f"{words_of(error)}: {detail.splitlines()[0].rstrip('.')}"


def _rights(error: BaseException) -> str:
    """Say which rights the statement takes, if one to an object was denied."""
    denied_by = getattr(error, "server_source_function", None)
    if denied_by == _DENIES_TEMPORARY:
        return "TEMPORARY on the database"
    return rights_of(str(getattr(error, "query", None) or "")) if denied_by in _DENIES else ""


def _where(error: BaseException, words: str) -> str:
    """Name what is concerned, as far as the words do not: they are in the server's language, the names are not."""
    names = ("schema_name", "table_name", "column_name", "constraint_name")
    schema, table, column, constraint = (getattr(error, name, None) for name in names)
    told = [f"table {schema}.{table}"] if table else []
    told += [f"column {column}"] if column and column not in words else []
    told += [f"constraint {constraint}"] if constraint and constraint not in words else []
    return f": {', '.join(told)}" if told else ""


def hide_values(error: BaseException | None, hidden: DatabaseError | None) -> None:
    """Take the values out of an error and what is under it, its words as well if they are *hidden*.

    A traceback prints them all.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        # The text that was sent is here too: a script has its values in it, and so has what a function makes.
        vars(error).update(detail=None, context=None, query=None, internal_query=None)
        if hidden is not None:
            vars(error).update(message=None)
            error.args = hidden.args
        error = error.__cause__ or error.__context__


def _condition_of(error: BaseException, kind: type[DatabaseError]) -> str:
    """Spell PostgreSQL's condition name: asyncpg names its classes after them."""
    name = (kind if isinstance(error, asyncpg.UnknownPostgresError) else type(error)).__name__.removesuffix("Error")
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).lower()


def words_of(error: BaseException) -> str:
    """Say the primary message only: asyncpg's str() appends the detail, which may hold values of rows."""
    if isinstance(error, OSError):
        # A failed connect to several addresses carries one text per address; the first says it.
        known = error.errno in errno.errorcode
        return os.strerror(error.errno or 0).lower() if known else error.strerror or type(error).__name__
    text = str(error.args[0]) if error.args else type(error).__name__
    return text.splitlines()[0] if text else type(error).__name__
