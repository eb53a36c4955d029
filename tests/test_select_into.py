"""What a statement gives is read by the names of its columns, and what does not fit is told before it is run."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, TypedDict

import msgspec
import pydantic
import pytest
from sqlalchemy import Integer, Numeric, bindparam, event, func, insert, select, text, union_all
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session, aliased

from dal import Database, PoolConfig
from dal.errors import ProjectionError, UndefinedTable, UniqueViolation
from dal.projection import Expr, From
from dal.telemetry import StatementLog
from tests.looking import count
from tests.models import Account, Document, Everything, Folder, Job, Mood, Office, Queue


@dataclass
class OwnerSeen:
    owner: str
    balance: int
    note: str = "none"


class OwnerStruct(msgspec.Struct):
    owner: str
    balance: int


class OwnerModel(pydantic.BaseModel):
    owner: str
    balance: int


class OwnerTuple(NamedTuple):
    owner: str
    balance: int


class OwnerDict(TypedDict):
    owner: str
    balance: int


@dataclass
class TitleSeen:
    title: str


@dataclass
class FolderOfTitles:
    id: int
    documents: list[TitleSeen]


@dataclass
class Nested:
    owner: str
    inner: TitleSeen


@dataclass
class Renamed:
    owner: Annotated[str, From(Account.owner)]


@dataclass
class Counted:
    number: Annotated[int, Expr(func.count())]


@dataclass
class Keyed:
    id: int


@dataclass
class WithDocument:
    id: int
    document: Any
    mood: Mood | None = None


ACCOUNTS = select(Account.balance, Account.owner).order_by(Account.id)
SQL = "SELECT balance, 'x' AS other, owner FROM account"


@pytest.fixture(params=["driver", "hooked"])
def hooks(request):
    """Have no hook, and one for which SQLAlchemy sends every statement."""
    if request.param == "driver":
        yield
        return

    def heard(_state):
        """Change nothing."""

    event.listen(Session, "do_orm_execute", heard)
    yield
    event.remove(Session, "do_orm_execute", heard)


@pytest.fixture
async def bank(db, outside, hooks):
    """Have two accounts, read without and with a hook."""
    await outside.execute("INSERT INTO account VALUES (1, 'one', 100), (2, 'two', 200)")
    return db


@pytest.mark.parametrize("type_", [OwnerSeen, OwnerStruct, OwnerModel, OwnerTuple, OwnerDict])
@pytest.mark.parametrize("statement", [ACCOUNTS, text(f"{SQL} ORDER BY id")], ids=["select", "text"])
async def test_fields_take_the_columns_of_their_names_in_any_order(bank, type_, statement):
    expected = [type_(owner="one", balance=100), type_(owner="two", balance=200)]
    for _ in range(3):
        assert await bank.select_into(type_, statement) == expected


async def test_a_scalar_takes_the_first_column(bank):
    assert await bank.select_into(int, ACCOUNTS) == [100, 200]
    assert await bank.select_into(str, text("SELECT owner, id FROM account ORDER BY id")) == ["one", "two"]
    assert await bank.select_into(list[int], text("SELECT ARRAY[1, 2]")) == [[1, 2]]


async def test_parameters_are_given_by_name(bank):
    statement = text(f"{SQL} WHERE balance > :least AND owner <> :who ORDER BY id")
    for least, expected in [(50, ["one", "two"]), (150, ["two"])]:
        found = await bank.select_into(OwnerSeen, statement, {"least": least, "who": "nobody"})
        assert [each.owner for each in found] == expected
    selected = ACCOUNTS.where(Account.balance > bindparam("least", type_=Integer))
    assert await bank.select_into(int, selected, {"least": 150}) == [200]


async def test_a_list_of_values_is_expanded(bank):
    statement = text(f"{SQL} WHERE id IN :ids ORDER BY id").bindparams(bindparam("ids", expanding=True))
    for keys, expected in [([1, 2], 2), ([2], 1), ([], 0)]:
        assert len(await bank.select_into(OwnerSeen, statement, {"ids": keys})) == expected


async def test_values_of_their_own_differ_between_statements_of_one_text(bank):
    for owner in ("one", "two", "three"):
        found = await bank.select_into(str, select(Account.owner).where(Account.owner == owner))
        assert found == ([owner] if owner != "three" else [])


async def test_labels_and_unions_are_read_by_name(bank):
    labelled = select(func.upper(Account.owner).label("owner"), (Account.balance + 1).label("balance")).order_by(
        "balance"
    )
    assert await bank.select_into(OwnerTuple, labelled) == [("ONE", 101), ("TWO", 201)]
    union = union_all(ACCOUNTS.order_by(None), ACCOUNTS.order_by(None)).order_by("owner")
    assert [each.owner for each in await bank.select_into(OwnerSeen, union)] == ["one", "one", "two", "two"]


async def test_an_entity_is_read_as_list_reads_it(bank, outside):
    await outside.execute("INSERT INTO folder VALUES (1, 'a', 1), (2, 'b', 1)")
    await outside.execute("INSERT INTO document VALUES (1, 1, 'note', 't', 1), (2, 1, 'note', 'u', 1)")
    statement = select(Folder).where(Folder.id > bindparam("least", type_=Integer)).order_by(Folder.id)
    found = await bank.select_into(FolderOfTitles, statement, {"least": 0})
    assert [(each.id, sorted(it.title for it in each.documents)) for each in found] == [(1, ["t", "u"]), (2, [])]


async def test_columns_of_a_new_alias_each_time_are_read(bank):
    for _ in range(3):
        other = aliased(Account)
        assert await bank.select_into(OwnerTuple, select(other.balance, other.owner).where(other.id == 2)) == [
            ("two", 200)
        ]


async def test_what_a_columns_type_does_is_done(bank, outside):
    await outside.execute("INSERT INTO everything (id, mood, document) VALUES (1, 'glad', '{\"a\": [1]}')")
    selected = select(Everything.document, Everything.mood, Everything.id)
    assert await bank.select_into(WithDocument, selected) == [WithDocument(1, {"a": [1]}, Mood.glad)]
    plain = text("SELECT id, document FROM everything")
    assert await bank.select_into(WithDocument, plain) == [WithDocument(1, {"a": [1]})]
    typed = plain.columns(document=JSONB)
    assert await bank.select_into(WithDocument, typed) == [WithDocument(1, {"a": [1]})]
    by_place = text("SELECT id, document, 1 FROM everything").columns(Everything.small, Everything.document)
    assert await bank.select_into(WithDocument, by_place) == [WithDocument(1, {"a": [1]})]


async def test_a_text_that_writes_commits_on_its_own_outside(bank, outside):
    statement = text("INSERT INTO account VALUES (:id, :owner, 0) RETURNING owner, balance")
    assert await bank.select_into(OwnerTuple, statement, {"id": 3, "owner": "c"}) == [("c", 0)]
    assert await count(outside, "account") == 3


async def test_a_text_that_writes_is_rolled_back_with_its_unit_of_work(bank, outside):
    statement = text("INSERT INTO account VALUES (3, 'c', 0) RETURNING owner, balance")
    with pytest.raises(LookupError):
        async with Office(bank) as office:
            assert await office.select_into(OwnerTuple, statement) == [("c", 0)]
            assert await count(outside, "account") == 2
            raise LookupError
    assert await count(outside, "account") == 2


async def test_pending_changes_are_flushed_before(bank):
    async with Queue(bank) as queue:
        queue.session.add(Job(id=7))
        assert await queue.select_into(int, text("SELECT id FROM job")) == [7]


@pytest.mark.parametrize(
    ("type_", "statement", "words"),
    [
        (OwnerSeen, select(Account.owner), "OwnerSeen.balance: no column is called so.* The statement has owner"),
        (OwnerSeen, select(Account.owner, Account.balance.label("balanse")), "Did you mean balanse"),
        (Keyed, select(Account.id, Job.id).join(Job, Job.id == Account.id), "2 columns are called id"),
        (
            Keyed,
            select(Account.__table__.c.id, Job.__table__.c.id).where(Account.id == Job.id),
            "2 columns are called id",
        ),
        (Nested, ACCOUNTS, "Nested.inner: rows of columns have nothing nested"),
        (FolderOfTitles, text("SELECT 1 AS id"), "FolderOfTitles.documents: rows of columns have nothing nested"),
        (Renamed, ACCOUNTS, r"Renamed.owner: From\(\), Expr\(\) and Load\(\)"),
        (Counted, ACCOUNTS, r"Counted.number: From\(\), Expr\(\) and Load\(\)"),
        (OwnerSeen, select(Account, Job.id).where(Account.id == Job.id), "selects Account whole, among others"),
        (int, select(Account), "int has no fields"),
        (OwnerSeen, select(aliased(Account)), r"an aliased\(\) class whole"),
        (Account, select(Account), "Account has no fields, which say what to read"),
        (Account, ACCOUNTS, "Account is nothing that columns can be read into"),
        (OwnerSeen, insert(Account).values(id=1), "Insert is no statement that can be read into a type"),
        (OwnerSeen, text("SELECT :a"), "the statement asks for a, and a has no value"),
    ],
)
async def test_what_does_not_fit_is_refused_before_anything_is_sent(bank, type_, statement, words):
    with StatementLog() as log, pytest.raises(ProjectionError, match=words):
        await bank.select_into(type_, statement)
    assert len(log) == 0


async def test_a_parameter_that_the_statement_does_not_have_is_refused(bank):
    with pytest.raises(ProjectionError, match="asks for no parameters, and it has no parameter least"):
        await bank.select_into(int, text("SELECT 1"), {"least": "secret"})


@pytest.mark.parametrize(
    ("returning", "words"),
    [("RETURNING owner", "balance"), ("", "RETURNING"), ("RETURNING owner, balance, id AS owner", "2 columns")],
)
async def test_a_text_that_does_not_fit_is_refused_before_it_is_run(db, outside, returning, words):
    for _ in range(2):
        with pytest.raises(ProjectionError, match=words):
            await db.select_into(OwnerSeen, text(f"INSERT INTO account VALUES (3, 'c', 0) {returning}"))
    assert await count(outside, "account") == 0


async def test_a_star_is_read_by_name_also_after_its_table_was_altered(db, outside):
    await outside.execute("INSERT INTO account VALUES (1, 'one', 100), (2, 'two', 200)")
    statement = text("SELECT * FROM account ORDER BY id")
    assert [each.balance for each in await db.select_into(OwnerSeen, statement)] == [100, 200]
    await outside.execute("ALTER TABLE account RENAME owner TO old; ALTER TABLE account ADD owner text DEFAULT 'new'")
    found = await db.select_into(OwnerSeen, statement)
    assert [(each.owner, each.balance) for each in found] == [("new", 100), ("new", 200)]


async def test_a_star_whose_column_is_gone_is_refused(db, outside):
    await outside.execute("INSERT INTO account VALUES (1, 'one', 100), (2, 'two', 200)")
    statement = text("SELECT * FROM account")
    assert len(await db.select_into(OwnerSeen, statement)) == 2
    await outside.execute("ALTER TABLE account RENAME owner TO old")
    with pytest.raises(ProjectionError, match="owner: no column is called so"):
        await db.select_into(OwnerSeen, statement)


async def test_errors_of_the_server_are_named_and_tell_no_value(bank):
    with pytest.raises(UndefinedTable):
        await bank.select_into(int, text("SELECT 1 FROM nowhere"))
    insert_again = text("INSERT INTO account VALUES (1, :owner, 0) RETURNING id")
    for _ in range(2):
        with pytest.raises(UniqueViolation) as refused:
            await bank.select_into(int, insert_again, {"owner": "secret"})
        assert "secret" not in str(refused.value)


async def test_a_decimal_keeps_its_scale(bank):
    assert await bank.select_into(Decimal, text("SELECT 1.50")) == [Decimal("1.50")]
    assert await bank.select_into(Decimal, select(func.cast(1.5, Numeric(5, 2)))) == [Decimal("1.50")]


@pytest.mark.parametrize("statement", [ACCOUNTS, text(SQL)], ids=["select", "text"])
async def test_a_statement_outside_is_one_round_trip(faulty_network, database_url, statement):
    async with Database(faulty_network.url, pool=PoolConfig(size=1)) as db:
        for _ in range(3):
            before = faulty_network.round_trips
            await db.select_into(OwnerSeen, statement)
        assert faulty_network.round_trips - before == 1


async def test_no_rows_are_an_empty_list(db):
    assert await db.select_into(OwnerSeen, text(SQL)) == []
    assert await db.select_into(OwnerSeen, ACCOUNTS) == []
    assert await db.select_into(TitleSeen, select(Document)) == []
