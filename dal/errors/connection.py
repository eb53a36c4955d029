"""A connection that ends, or cannot be had."""

from __future__ import annotations

from sqlalchemy import exc as sa_exc

from dal.errors.database_error import DatabaseError
from dal.errors.transaction import InvalidTransactionState


class ConnectionException(DatabaseError, sa_exc.OperationalError):
    """SQLSTATE class 08. Itself only of a server that is still there.

    Its own connection to another one (dblink, foreign tables) broke, or it could not read a COPY or a message.
    """


class ConnectionLost(ConnectionException, sqlstates=("08", "57P01", "57P02")):
    """SQLSTATE class 08, 57P01, 57P02, and sockets that broke: the statement's outcome is unknown."""


class CannotConnect(ConnectionLost, sqlstates=("08001", "08004", "57P03")):
    """SQLSTATE 08001, 08004, 57P03: there was no connection to begin with; nothing was sent."""

    advice = "Is the server running, and do host and port point at it?"


class DatabaseDropped(ConnectionLost, sqlstates=("57P04",)):
    """SQLSTATE 57P04."""


class IdleSessionTimeout(ConnectionLost, sqlstates=("57P05",)):
    """SQLSTATE 57P05: idle_session_timeout."""

    advice = "Set it to 0 for this role: the pool closes by itself what it does not need."


class IdleInTransactionSessionTimeout(InvalidTransactionState, ConnectionLost, sqlstates=("25P03",)):
    """SQLSTATE 25P03: a transaction stayed open without a statement for idle_in_transaction_session_timeout."""

    advice = "Look for what the unit of work awaits beside the database."


class TransactionTimeout(InvalidTransactionState, ConnectionLost, sqlstates=("25P04",)):
    """SQLSTATE 25P04: transaction_timeout, of PostgreSQL 17 and newer."""


class InvalidAuthorization(DatabaseError, sa_exc.OperationalError, sqlstates=("28",)):
    """SQLSTATE class 28: the role or its password was refused."""

    advice = "Check user and password in the URL, and pg_hba.conf on the server."


class InvalidPassword(InvalidAuthorization, sqlstates=("28P01",)):
    """SQLSTATE 28P01."""


class InvalidCatalogName(DatabaseError, sa_exc.OperationalError, sqlstates=("3D",)):
    """SQLSTATE class 3D: the database does not exist."""

    advice = "Create the database, or correct the name in the URL."
