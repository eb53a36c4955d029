"""What the schema does not allow: constraints, triggers and views that check."""

from __future__ import annotations

from sqlalchemy import exc as sa_exc

from dal.errors.database_error import DatabaseError


class IntegrityViolation(DatabaseError, sa_exc.IntegrityError, sqlstates=("23",)):
    """SQLSTATE class 23."""


class RestrictViolation(IntegrityViolation, sqlstates=("23001",)):
    """SQLSTATE 23001: a foreign key ON DELETE, or ON UPDATE, RESTRICT."""


class NotNullViolation(IntegrityViolation, sqlstates=("23502",)):
    """SQLSTATE 23502."""


class ForeignKeyViolation(IntegrityViolation, sqlstates=("23503",)):
    """SQLSTATE 23503."""


class UniqueViolation(IntegrityViolation, sqlstates=("23505",)):
    """SQLSTATE 23505."""


class CheckViolation(IntegrityViolation, sqlstates=("23514",)):
    """SQLSTATE 23514."""


class ExclusionViolation(IntegrityViolation, sqlstates=("23P01",)):
    """SQLSTATE 23P01."""


class TriggeredDataChangeViolation(DatabaseError, sa_exc.OperationalError, sqlstates=("27",)):
    """SQLSTATE class 27: a BEFORE trigger has changed the row under its own statement."""


class WithCheckOptionViolation(DatabaseError, sa_exc.ProgrammingError, sqlstates=("44",)):
    """SQLSTATE class 44: a row that its view would not show; row-level security is `InsufficientPrivilege`."""
