"""What does not fit: SQLSTATE class 22, and a subquery that gives too many rows.

The server's words for class 22 hold the value, so they are hidden unless parameters are shown.
"""

from __future__ import annotations

from sqlalchemy import exc as sa_exc

from dal.errors.database_error import DatabaseError


class DataException(DatabaseError, sa_exc.DataError, sqlstates=("22",)):
    """SQLSTATE class 22: a value does not fit."""


class StringDataRightTruncation(DataException, sqlstates=("22001",)):
    """SQLSTATE 22001: a text is too long for its column."""


class NumericValueOutOfRange(DataException, sqlstates=("22003",)):
    """SQLSTATE 22003."""


class NullValueNotAllowed(DataException, sqlstates=("22004",)):
    """SQLSTATE 22004: NULL where a function, or PL/pgSQL, takes none."""


class InvalidDatetimeFormat(DataException, sqlstates=("22007",)):
    """SQLSTATE 22007."""


class DatetimeFieldOverflow(DataException, sqlstates=("22008",)):
    """SQLSTATE 22008: a date that no calendar has, or one out of range."""


class DivisionByZero(DataException, sqlstates=("22012",)):
    """SQLSTATE 22012."""


class CharacterNotInRepertoire(DataException, sqlstates=("22021",)):
    """SQLSTATE 22021: bytes that are no text in the encoding, such as a zero byte."""


class InvalidParameterValue(DataException, sqlstates=("22023",)):
    """SQLSTATE 22023: a setting, or an argument of a function, has no such value."""


class InvalidRegularExpression(DataException, sqlstates=("2201B",)):
    """SQLSTATE 2201B."""


class SequenceGeneratorLimitExceeded(DataException, sqlstates=("2200H",)):
    """SQLSTATE 2200H: a sequence, or an identity column, is used up."""

    advice = "Widen the column to bigint, and the sequence with it."


class InvalidTextRepresentation(DataException, sqlstates=("22P02",)):
    """SQLSTATE 22P02: a text is no number, UUID, JSON, member of an enumeration, ..."""


class InvalidBinaryRepresentation(DataException, sqlstates=("22P03",)):
    """SQLSTATE 22P03: a binary COPY whose columns are of other types than the table's."""


class BadCopyFileFormat(DataException, sqlstates=("22P04",)):
    """SQLSTATE 22P04."""


class UntranslatableCharacter(DataException, sqlstates=("22P05",)):
    """SQLSTATE 22P05: a character that the database's encoding, or jsonb, does not have."""


class CardinalityViolation(DatabaseError, sa_exc.ProgrammingError, sqlstates=("21",)):
    """SQLSTATE class 21: more than one row where one is allowed, or one row twice in an ON CONFLICT."""
