"""What the server cannot do, or not now: resources, limits, operators, its own functions and faults."""

from __future__ import annotations

from sqlalchemy import exc as sa_exc

from dal.errors.database_error import DatabaseError


class InsufficientResources(DatabaseError, sa_exc.OperationalError, sqlstates=("53",)):
    """SQLSTATE class 53."""


class DiskFull(InsufficientResources, sqlstates=("53100",)):
    """SQLSTATE 53100."""


class OutOfMemory(InsufficientResources, sqlstates=("53200",)):
    """SQLSTATE 53200: also a lock table that is full."""


class TooManyConnections(InsufficientResources, sqlstates=("53300",)):
    """SQLSTATE 53300: the server, the database or the role allows no more."""

    advice = "Make the pools of all processes smaller together than the limit: PoolConfig.for_processes."


class ConfigurationLimitExceeded(InsufficientResources, sqlstates=("53400",)):
    """SQLSTATE 53400: a limit that somebody set, such as temp_file_limit."""


class ProgramLimitExceeded(DatabaseError, sa_exc.OperationalError, sqlstates=("54",)):
    """SQLSTATE class 54: more columns, arguments or bytes than PostgreSQL can have."""


class StatementTooComplex(ProgramLimitExceeded, sqlstates=("54001",)):
    """SQLSTATE 54001: max_stack_depth."""


class ObjectNotInPrerequisiteState(DatabaseError, sa_exc.OperationalError, sqlstates=("55",)):
    """SQLSTATE class 55."""


class ObjectInUse(ObjectNotInPrerequisiteState, sqlstates=("55006",)):
    """SQLSTATE 55006."""


class LockNotAvailable(ObjectNotInPrerequisiteState, sqlstates=("55P03",)):
    """SQLSTATE 55P03: NOWAIT, or lock_timeout."""


class UnsafeNewEnumValueUsage(ObjectNotInPrerequisiteState, sqlstates=("55P04",)):
    """SQLSTATE 55P04: a member of an enumeration is used in the transaction that adds it."""

    advice = "Add it in a revision of its own."


class OperatorIntervention(DatabaseError, sa_exc.OperationalError, sqlstates=("57",)):
    """The rest of SQLSTATE class 57; what ends the connection is `ConnectionLost`."""


class QueryCanceled(OperatorIntervention, sqlstates=("57014",)):
    """SQLSTATE 57014: statement_timeout, or a cancel request."""


class ServerSystemError(DatabaseError, sa_exc.OperationalError, sqlstates=("58",)):
    """SQLSTATE class 58, system_error: files. A class SystemError would hide Python's own from whoever imports it."""


class PlpgsqlError(DatabaseError, sa_exc.ProgrammingError, sqlstates=("P0",)):
    """SQLSTATE class P0: functions in PL/pgSQL."""


class RaiseException(PlpgsqlError, sqlstates=("P0001",)):
    """SQLSTATE P0001: RAISE, in the application's own words, which are shown as they are."""


class NoDataFound(PlpgsqlError, sqlstates=("P0002",)):
    """SQLSTATE P0002: INTO STRICT of no row."""


class TooManyRows(PlpgsqlError, sqlstates=("P0003",)):
    """SQLSTATE P0003: INTO STRICT of several."""


class AssertFailure(PlpgsqlError, sqlstates=("P0004",)):
    """SQLSTATE P0004: ASSERT."""


class InternalError(DatabaseError, sa_exc.InternalError, sqlstates=("XX",)):
    """SQLSTATE class XX: a fault of the server's."""


class DataCorrupted(InternalError, sqlstates=("XX001", "XX002")):
    """SQLSTATE XX001, XX002: a table, or an index, is damaged."""

    advice = "Stop writing, save the data directory, then look at backups and pg_amcheck."
