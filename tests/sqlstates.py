"""SQLSTATEs, and what makes a real server say them.

Every case is provoked by what the server really refuses, except for those that are *raised*: nobody fills a disk for
a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import exc

from dal import errors


@dataclass(frozen=True)
class Case:
    """A statement that is refused beside alice's account, after *before* and what *outside* does meanwhile."""

    sqlstate: str
    kind: type[errors.DatabaseError]
    sqlalchemy: type[exc.DBAPIError]
    statement: str
    before: tuple[str, ...] = ()
    outside: str = ""
    fails_before: bool = False  # *before* is refused already
    since: int = 14  # the first version of PostgreSQL that says so
    named: tuple[str | None, str | None, str | None] | None = None  # constraint, table, column


def _raised(sqlstate: str, kind: type[errors.DatabaseError], sqlalchemy: type[exc.DBAPIError]) -> Case:
    return Case(sqlstate, kind, sqlalchemy, f"DO $$ BEGIN RAISE 'no' USING ERRCODE = '{sqlstate}'; END $$")


_DATA: Final = exc.DataError
_INTEGRITY: Final = exc.IntegrityError
_INTERNAL: Final = exc.InternalError
_OPERATIONAL: Final = exc.OperationalError
_PROGRAMMING: Final = exc.ProgrammingError
_RESTRICTING: Final = (
    "CREATE TEMP TABLE one (id int CONSTRAINT pk_one PRIMARY KEY)",
    "CREATE TEMP TABLE two (id int CONSTRAINT fk_two REFERENCES one ON DELETE RESTRICT)",
    "INSERT INTO one VALUES (1)",
    "INSERT INTO two VALUES (1)",
)
_TRIGGERED: Final = (
    "CREATE FUNCTION pg_temp.again() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN UPDATE account SET balance = 9 WHERE id = NEW.id; RETURN NEW; END $$",
    "CREATE TRIGGER again BEFORE UPDATE ON account FOR EACH ROW WHEN (NEW.balance <> 9) "
    "EXECUTE FUNCTION pg_temp.again()",
)
_RECURSIVE: Final = (
    "SET LOCAL max_stack_depth = '100kB'",
    "CREATE FUNCTION pg_temp.deep() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN pg_temp.deep(); END $$",
)
_VIEW: Final = "CREATE TEMP VIEW poor AS SELECT * FROM account WHERE balance < 10 WITH CHECK OPTION"
_SECURED: Final = (
    "CREATE TABLE secured (owner text)",
    "ALTER TABLE secured ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY own ON secured USING (owner = current_user)",
    "GRANT INSERT ON secured TO pg_monitor",
    "SET LOCAL ROLE pg_monitor",
)
_STRICT: Final = "DO $$ DECLARE x int; BEGIN SELECT 1 INTO STRICT x FROM generate_series(1, {}); END $$"

CASES: Final = (
    Case("08001", errors.ConnectionException, _OPERATIONAL, "SELECT dblink_connect('host=/nowhere')",
         before=("CREATE EXTENSION dblink",)),
    Case("0A000", errors.FeatureNotSupported, exc.NotSupportedError, "SELECT count(*) FROM account FOR UPDATE"),
    Case("21000", errors.CardinalityViolation, _PROGRAMMING, "SELECT (SELECT generate_series(1, 2))"),
    Case("22001", errors.StringDataRightTruncation, _DATA,
         "INSERT INTO everything (id, code) VALUES (1, 'longer than eight')"),
    Case("22003", errors.NumericValueOutOfRange, _DATA, "SELECT 2147483647 + 1"),
    Case("22004", errors.NullValueNotAllowed, _DATA,
         "DO $$ DECLARE a int[]; x int; BEGIN FOREACH x IN ARRAY a LOOP END LOOP; END $$"),
    Case("22007", errors.InvalidDatetimeFormat, _DATA, "SELECT cast('some day' AS date)"),
    Case("22008", errors.DatetimeFieldOverflow, _DATA, "SELECT cast('2024-02-30' AS date)"),
    Case("22012", errors.DivisionByZero, _DATA, "SELECT 1 / (balance - 5) FROM account"),
    Case("22021", errors.CharacterNotInRepertoire, _DATA, r"SELECT convert_from('\xff', 'UTF8')"),
    Case("22023", errors.InvalidParameterValue, _DATA, "SELECT set_config('work_mem', 'much', true)"),
    Case("2201B", errors.InvalidRegularExpression, _DATA, "SELECT 'a' ~ '('"),
    Case("2200H", errors.SequenceGeneratorLimitExceeded, _DATA, "SELECT nextval('few')",
         before=("CREATE TEMP SEQUENCE few MAXVALUE 2", "SELECT nextval('few'), nextval('few')")),
    Case("22P02", errors.InvalidTextRepresentation, _DATA, "SELECT cast(owner AS integer) FROM account"),
    Case("22P05", errors.UntranslatableCharacter, _DATA, r"""SELECT cast('{"a" : "\u0000"}' AS jsonb)"""),
    Case("23001", errors.RestrictViolation, _INTEGRITY, "DELETE FROM one", before=_RESTRICTING, since=18,
         named=("fk_two", "two", None)),
    Case("23502", errors.NotNullViolation, _INTEGRITY, "INSERT INTO account VALUES (2, NULL, 0)",
         named=(None, "account", "owner")),
    Case("23503", errors.ForeignKeyViolation, _INTEGRITY, "INSERT INTO entry (account_id, note) VALUES (9, '')",
         named=("fk_entry_account_id_account", "entry", None)),
    Case("23505", errors.UniqueViolation, _INTEGRITY, "INSERT INTO account VALUES (2, 'alice', 0)",
         named=("uq_account_owner", "account", None)),
    Case("23514", errors.CheckViolation, _INTEGRITY, "UPDATE account SET balance = -1",
         named=("ck_account_balance_not_negative", "account", None)),
    Case("23P01", errors.ExclusionViolation, _INTEGRITY,
         "INSERT INTO booking (id, hours) VALUES (1, '[9,11)'), (2, '[10,12)')",
         named=("booking_one_at_a_time", "booking", None)),
    Case("25001", errors.ActiveSQLTransaction, _INTERNAL, "VACUUM account", before=("SELECT 1",)),
    Case("25006", errors.ReadOnlySQLTransaction, _INTERNAL, "DELETE FROM account",
         before=("SET TRANSACTION READ ONLY",)),
    Case("25P02", errors.InFailedSQLTransaction, _INTERNAL, "SELECT 1", before=("SELECT 1 / 0",), fails_before=True),
    Case("26000", errors.InvalidSQLStatementName, _PROGRAMMING, "EXECUTE nothing"),
    Case("27000", errors.TriggeredDataChangeViolation, _OPERATIONAL, "UPDATE account SET balance = 1",
         before=_TRIGGERED),
    Case("2BP01", errors.DependentObjectsStillExist, _INTERNAL, "DROP TABLE account"),
    Case("34000", errors.InvalidCursorName, _PROGRAMMING, "FETCH FROM nothing"),
    Case("3B001", errors.InvalidSavepointSpecification, _OPERATIONAL, "ROLLBACK TO SAVEPOINT nothing",
         before=("SAVEPOINT something",)),
    Case("3D000", errors.InvalidCatalogName, _OPERATIONAL, "ALTER DATABASE nowhere RESET ALL"),
    Case("3F000", errors.InvalidSchemaName, _PROGRAMMING, "CREATE TABLE nowhere.something ()"),
    Case("40001", errors.SerializationFailure, _OPERATIONAL, "UPDATE account SET balance = 8",
         before=("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT 1 FROM account"),
         outside="UPDATE account SET balance = 7"),
    Case("42501", errors.InsufficientPrivilege, _PROGRAMMING, "SELECT * FROM account",
         before=("SET LOCAL ROLE pg_monitor",)),
    Case("42501", errors.InsufficientPrivilege, _PROGRAMMING, "INSERT INTO secured VALUES ('alice')",
         before=_SECURED),
    Case("42601", errors.StatementSyntaxError, _PROGRAMMING, "SELEKT"),
    Case("42701", errors.DuplicateColumn, _PROGRAMMING, "CREATE TEMP TABLE twice (a int, a int)"),
    Case("42702", errors.AmbiguousColumn, _PROGRAMMING, "SELECT id FROM account, entry"),
    Case("42703", errors.UndefinedColumn, _PROGRAMMING, "SELECT nothing FROM account"),
    Case("42704", errors.UndefinedObject, _PROGRAMMING, "SELECT cast(1 AS nothing)"),
    Case("42710", errors.DuplicateObject, _PROGRAMMING, "CREATE EXTENSION plpgsql"),
    Case("42723", errors.DuplicateFunction, _PROGRAMMING, "CREATE FUNCTION pg_temp.one() RETURNS int RETURN 1",
         before=("CREATE FUNCTION pg_temp.one() RETURNS int RETURN 1",)),
    Case("42803", errors.GroupingError, _PROGRAMMING, "SELECT owner, count(*) FROM account"),
    Case("42804", errors.DatatypeMismatch, _PROGRAMMING, "SELECT 1 FROM account WHERE 1"),
    Case("42846", errors.StatementRefused, _PROGRAMMING, "SELECT cast(current_date AS integer)"),
    Case("42883", errors.UndefinedFunction, _PROGRAMMING, "SELECT nothing()"),
    Case("428C9", errors.GeneratedAlways, _PROGRAMMING, "INSERT INTO made VALUES (1)",
         before=("CREATE TEMP TABLE made (a int GENERATED ALWAYS AS IDENTITY)",)),
    Case("42P01", errors.UndefinedTable, _PROGRAMMING, "SELECT * FROM nowhere"),
    Case("42P04", errors.DuplicateDatabase, _PROGRAMMING, "ALTER DATABASE template0 RENAME TO template1"),
    Case("42P05", errors.DuplicatePreparedStatement, _PROGRAMMING, "PREPARE twice AS SELECT 1",
         before=("PREPARE twice AS SELECT 1",)),
    Case("42P06", errors.DuplicateSchema, _PROGRAMMING, "CREATE SCHEMA public"),
    Case("42P07", errors.DuplicateTable, _PROGRAMMING, "CREATE TABLE account ()"),
    Case("42P10", errors.InvalidColumnReference, _PROGRAMMING,
         "INSERT INTO account VALUES (2, 'bob', 0) ON CONFLICT (balance) DO NOTHING"),
    Case("42P18", errors.IndeterminateDatatype, _PROGRAMMING, "SELECT ARRAY[]"),
    Case("44000", errors.WithCheckOptionViolation, _PROGRAMMING, "INSERT INTO poor VALUES (2, 'bob', 99)",
         before=(_VIEW,)),
    Case("53400", errors.ConfigurationLimitExceeded, _OPERATIONAL,
         "SELECT count(*) FROM (SELECT x FROM generate_series(1, 100000) AS x ORDER BY -x OFFSET 0) AS s",
         before=("SET LOCAL temp_file_limit = '64kB'", "SET LOCAL work_mem = '64kB'")),
    Case("54000", errors.ProgramLimitExceeded, _OPERATIONAL, "SELECT repeat('0123456789', 200000000)"),
    Case("54001", errors.StatementTooComplex, _OPERATIONAL, "SELECT pg_temp.deep()", before=_RECURSIVE),
    Case("55000", errors.ObjectNotInPrerequisiteState, _OPERATIONAL, "SELECT currval('few')",
         before=("CREATE TEMP SEQUENCE few",)),
    Case("55006", errors.ObjectInUse, _OPERATIONAL,
         "DO $$ DECLARE r record; BEGIN FOR r IN SELECT 1 FROM account LOOP DROP TABLE account CASCADE; END LOOP; "
         "END $$"),
    Case("55P03", errors.LockNotAvailable, _OPERATIONAL, "LOCK TABLE entry NOWAIT", outside="BEGIN; LOCK TABLE entry"),
    Case("55P04", errors.UnsafeNewEnumValueUsage, _OPERATIONAL, "SELECT cast('so' AS mood)",
         before=("ALTER TYPE mood ADD VALUE 'so'",)),
    Case("57014", errors.QueryCanceled, _OPERATIONAL, "SELECT pg_sleep(30)",
         before=("SET LOCAL statement_timeout = '20ms'",)),
    Case("58P01", errors.ServerSystemError, _OPERATIONAL, "SELECT pg_read_file('/nowhere/at/all')"),
    Case("P0001", errors.RaiseException, _PROGRAMMING, "DO $$ BEGIN RAISE 'no'; END $$"),
    Case("P0002", errors.NoDataFound, _PROGRAMMING, _STRICT.format(0)),
    Case("P0003", errors.TooManyRows, _PROGRAMMING, _STRICT.format(2)),
    Case("P0004", errors.AssertFailure, _PROGRAMMING, "DO $$ BEGIN ASSERT false; END $$"),
    _raised("40003", errors.StatementCompletionUnknown, _OPERATIONAL),
    _raised("40002", errors.TransactionRollback, _OPERATIONAL),
    _raised("53100", errors.DiskFull, _OPERATIONAL),
    _raised("53200", errors.OutOfMemory, _OPERATIONAL),
    _raised("57P04", errors.DatabaseDropped, _OPERATIONAL),
    _raised("XX000", errors.InternalError, _INTERNAL),
    _raised("XX001", errors.DataCorrupted, _INTERNAL),
    _raised("XX002", errors.DataCorrupted, _INTERNAL),
    _raised("HV000", errors.DatabaseError, exc.DBAPIError),
)  # fmt: skip
