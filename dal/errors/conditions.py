"""The server's errors, one class for each condition that an application tells apart, by SQLSTATE.

Refuses: naming what nobody would catch; that falls to its class of two characters, then to `DatabaseError`.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import exc as sa_exc

from dal.errors.database_error import DatabaseError


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
BY_SQLSTATE: Final[dict[str, type[DatabaseError]]] = {
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
