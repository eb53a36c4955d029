"""What is wrong with a statement: its syntax, its names and types, its rights."""

from __future__ import annotations

from sqlalchemy import exc as sa_exc

from dal.errors.database_error import DatabaseError


class StatementRefused(DatabaseError, sa_exc.ProgrammingError, sqlstates=("42",)):
    """The rest of SQLSTATE class 42: syntax, names, types."""


class InsufficientPrivilege(StatementRefused, sqlstates=("42501",)):
    """SQLSTATE 42501: also a row that row-level security does not let in."""

    advice = "GRANT the role what the statement needs, or connect as another one."


class StatementSyntaxError(StatementRefused, sqlstates=("42601",)):
    """SQLSTATE 42601, syntax_error: a class SyntaxError would hide Python's own from whoever imports it."""


class DuplicateColumn(StatementRefused, sqlstates=("42701",)):
    """SQLSTATE 42701."""


class AmbiguousColumn(StatementRefused, sqlstates=("42702",)):
    """SQLSTATE 42702."""


class UndefinedColumn(StatementRefused, sqlstates=("42703",)):
    """SQLSTATE 42703."""

    advice = "Is the database migrated? alembic upgrade head"


class UndefinedObject(StatementRefused, sqlstates=("42704",)):
    """SQLSTATE 42704: a type, role, setting, constraint, ... does not exist."""


class DuplicateObject(StatementRefused, sqlstates=("42710",)):
    """SQLSTATE 42710."""


class DuplicateFunction(StatementRefused, sqlstates=("42723",)):
    """SQLSTATE 42723."""


class GroupingError(StatementRefused, sqlstates=("42803",)):
    """SQLSTATE 42803."""


class DatatypeMismatch(StatementRefused, sqlstates=("42804",)):
    """SQLSTATE 42804."""


class UndefinedFunction(StatementRefused, sqlstates=("42883",)):
    """SQLSTATE 42883: a function, or an operator, for arguments of these types."""


class GeneratedAlways(StatementRefused, sqlstates=("428C9",)):
    """SQLSTATE 428C9: a value for a generated column."""


class UndefinedTable(StatementRefused, sqlstates=("42P01",)):
    """SQLSTATE 42P01."""

    advice = "Is the database migrated? alembic upgrade head"


class DuplicateDatabase(StatementRefused, sqlstates=("42P04",)):
    """SQLSTATE 42P04."""


class DuplicatePreparedStatement(StatementRefused, sqlstates=("42P05",)):
    """SQLSTATE 42P05."""

    advice = "Behind a pooler in transaction mode statements cannot be prepared by name."


class DuplicateSchema(StatementRefused, sqlstates=("42P06",)):
    """SQLSTATE 42P06."""


class DuplicateTable(StatementRefused, sqlstates=("42P07",)):
    """SQLSTATE 42P07: a table, index, view or sequence exists."""


class InvalidColumnReference(StatementRefused, sqlstates=("42P10",)):
    """SQLSTATE 42P10: such as ON CONFLICT on columns that no unique constraint is about."""


class IndeterminateDatatype(StatementRefused, sqlstates=("42P18",)):
    """SQLSTATE 42P18: the server cannot tell a parameter's type."""

    advice = "Give the parameter a type: cast(:name AS integer)."


class FeatureNotSupported(DatabaseError, sa_exc.NotSupportedError, sqlstates=("0A",)):
    """SQLSTATE class 0A."""


class InvalidSQLStatementName(DatabaseError, sa_exc.ProgrammingError, sqlstates=("26",)):
    """SQLSTATE class 26: no prepared statement has the name."""

    advice = "Behind a pooler in transaction mode statements cannot be prepared by name."


class InvalidCursorName(DatabaseError, sa_exc.ProgrammingError, sqlstates=("34",)):
    """SQLSTATE class 34: no cursor has the name."""


class InvalidSchemaName(DatabaseError, sa_exc.ProgrammingError, sqlstates=("3F",)):
    """SQLSTATE class 3F: the schema does not exist."""


class DependentObjectsStillExist(DatabaseError, sa_exc.InternalError, sqlstates=("2BP01",)):
    """SQLSTATE 2BP01: what is to be dropped is used by something else."""
