"""What becomes of a transaction, and what it does not allow."""

from __future__ import annotations

from sqlalchemy import exc as sa_exc

from dal.errors.database_error import DatabaseError


class TransactionRollback(DatabaseError, sa_exc.OperationalError, sqlstates=("40",)):
    """SQLSTATE class 40: the whole transaction is lost, and may be run again."""


class SerializationFailure(TransactionRollback, sqlstates=("40001",)):
    """SQLSTATE 40001."""


class StatementCompletionUnknown(TransactionRollback, sqlstates=("40003",)):
    """SQLSTATE 40003: nobody knows whether it was done; not to be run again blindly."""


class DeadlockDetected(TransactionRollback, sqlstates=("40P01",)):
    """SQLSTATE 40P01."""


class InvalidTransactionState(DatabaseError, sa_exc.InternalError, sqlstates=("25",)):
    """SQLSTATE class 25: a statement that this transaction, or none, does not allow."""


class ActiveSQLTransaction(InvalidTransactionState, sqlstates=("25001",)):
    """SQLSTATE 25001: CREATE INDEX CONCURRENTLY, VACUUM and others run in no transaction."""

    advice = "Run it outside one: db.checkout(), or Alembic's autocommit_block()."


class ReadOnlySQLTransaction(InvalidTransactionState, sqlstates=("25006",)):
    """SQLSTATE 25006: a write in a transaction, or on a server, that only reads."""

    advice = "Is this a standby, or was the transaction begun read only?"


class InFailedSQLTransaction(InvalidTransactionState, sqlstates=("25P02",)):
    """SQLSTATE 25P02: an earlier statement has failed, and the transaction can only be rolled back."""

    advice = "Look for the first error; go on after it only from a savepoint."


class InvalidSavepointSpecification(DatabaseError, sa_exc.OperationalError, sqlstates=("3B001",)):
    """SQLSTATE 3B001: there is no such savepoint."""
