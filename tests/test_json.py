"""What is read goes out as JSON, by pydantic for its own types and by msgspec for all others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Interface, IPv4Network
from typing import Annotated, Any, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest
from sqlalchemy import Text, cast

from dal import Database, PoolConfig, Repository
from dal.errors import ProjectionError
from dal.projection import Expr
from dal.telemetry import StatementLog
from tests.models import Account, Accounts, Everything, Everythings, Folder, Folders, Mood, Office
from tests.write_models import Nested, Odd


class AccountStruct(msgspec.Struct):
    id: int
    owner: str


@dataclass
class AccountData:
    id: int
    owner: str


class AccountModel(pydantic.BaseModel):
    id: int
    owner: str


@pydantic.dataclasses.dataclass
class AccountModelled:
    id: int
    owner: str


class AccountDict(TypedDict):
    id: int
    owner: str


class AccountTuple(NamedTuple):
    id: int
    owner: str


class Shouting(pydantic.BaseModel):
    id: int
    owner: str = pydantic.Field(serialization_alias="Owner")

    @pydantic.field_serializer("owner")
    def _loud(self, owner: str) -> str:
        return owner.upper()


class Renamed(msgspec.Struct, rename="camel", omit_defaults=True):
    id: int
    owner: str
    not_there: int = 0


@dataclass
class PageData:
    title: str


class PageModel(pydantic.BaseModel):
    title: str


class FolderStruct(msgspec.Struct):
    id: int
    documents: list[PageData]


class FolderOfModels(msgspec.Struct):
    id: int
    documents: list[PageModel]


class FolderModel(pydantic.BaseModel):
    id: int
    documents: list[PageModel]


class All(msgspec.Struct):
    money: Decimal | None
    double: float | None
    mood: Mood | None
    flag: bool | None
    day: date | None
    moment: datetime | None
    wall_clock: datetime | None
    hour: time | None
    lapse: timedelta | None
    key: UUID | None
    raw: bytes | None
    document: Any
    big: int | None


class OddSeen(msgspec.Struct):
    host: Any
    net: Any
    card: Any
    bits: Any
    hours: Any
    zoned: Any
    hex: Any


class NestedSeen(msgspec.Struct):
    matrix: Any
    hours: Any
    ranges: Any
    pair: Any


class Odds(Repository[Odd]):
    """Odd types."""


class Nesteds(Repository[Nested]):
    """Nested types."""


ONE = [{"id": 1, "owner": "one"}, {"id": 2, "owner": "zwö"}]


@pytest.fixture
async def accounts(db, outside):
    """Have two accounts."""
    await outside.execute("INSERT INTO account VALUES (1, 'one', 100), (2, 'zwö', 200)")
    return Accounts(db)


@pytest.mark.parametrize("into", [AccountStruct, AccountData, AccountModel, AccountModelled, AccountDict])
async def test_every_kind_of_type_is_an_array_of_objects(accounts, into):
    assert json.loads(await accounts.json(into=into, order_by=Account.id)) == ONE


async def test_a_named_tuple_is_an_array(accounts):
    assert await accounts.json(Account.id == 1, into=AccountTuple) == b'[[1,"one"]]'


async def test_an_expression_is_an_array_of_its_values(accounts):
    assert await accounts.json(into=Account.id, order_by=Account.id.desc()) == b"[2,1]"


@pytest.mark.parametrize("into", [AccountStruct, AccountModel])
async def test_nothing_is_an_empty_array(accounts, into):
    assert await accounts.json(Account.id > 2, into=into) == b"[]"


async def test_limit_and_order_hold(accounts):
    assert await accounts.json(into=AccountTuple, order_by=Account.id.desc(), limit=1) == '[[2,"zwö"]]'.encode()


@pytest.mark.parametrize(("into", "expected"), [(AccountStruct, ONE[0]), (AccountModel, ONE[0])])
async def test_one_is_an_object_or_none(accounts, into, expected):
    assert json.loads(await accounts.get_json(1, into=into)) == expected
    assert await accounts.get_json(3, into=into) is None


async def test_what_pydantic_is_told_of_serializing_is_done(accounts):
    expected = [Shouting(id=1, owner="one").model_dump_json()]
    assert (await accounts.json(Account.id == 1, into=Shouting)).decode() == f"[{expected[0]}]"
    assert json.loads(await accounts.get_json(1, into=Shouting)) == {"id": 1, "owner": "ONE"}


async def test_what_msgspec_is_told_of_names_is_done(accounts):
    assert await accounts.json(Account.id == 1, into=Renamed) == b'[{"id":1,"owner":"one"}]'


@pytest.mark.parametrize("into", [FolderStruct, FolderOfModels, FolderModel])
async def test_collections_are_inside_in_one_statement_more(db, outside, into):
    await outside.execute("INSERT INTO folder VALUES (1, 'a', 1), (2, 'b', 1)")
    await outside.execute("INSERT INTO document VALUES (1, 1, 'note', 't', 1)")
    with StatementLog() as log:
        found = await Folders(db).json(into=into, order_by=Folder.id)
    assert json.loads(found) == [{"id": 1, "documents": [{"title": "t"}]}, {"id": 2, "documents": []}]
    assert len(log) == 2


async def test_every_type_has_the_form_that_is_documented(db, outside):
    async with Office(db) as office:
        office.session.add(
            Everything(
                id=1, money=Decimal("1.50"), double=float("nan"), mood=Mood.glad, flag=True, day=date(2024, 2, 29),
                moment=datetime(2024, 2, 29, 12, 30, tzinfo=UTC), wall_clock=datetime(2024, 2, 29, 12, 30),  # noqa: DTZ001 # a column without a zone
                hour=time(1, 2, 3), lapse=timedelta(days=1, seconds=2), key=UUID(int=1), raw=b"\xff",
                document={"a": [None, 1.5]}, big=2**62,
            )
        )  # fmt: skip
    [found] = json.loads(await Everythings(db).json(into=All))
    assert found == {
        "money": "1.50",
        "double": None,
        "mood": "glad",
        "flag": True,
        "day": "2024-02-29",
        "moment": "2024-02-29T12:30:00Z",
        "wall_clock": "2024-02-29T12:30:00",
        "hour": "01:02:03",
        "lapse": "P1DT2S",
        "key": str(UUID(int=1)),
        "raw": "/w==",
        "document": {"a": [None, 1.5]},
        "big": 2**62,
    }


async def test_odd_types_have_their_natural_text(tables, outside):
    await outside.execute(
        "INSERT INTO odd (id, host, net, card, bits, hours, zoned, hex) VALUES (1, '10.0.0.1/8', '10.0.0.0/8', "
        "'08:00:2b:01:02:03', B'1010', '[1,5)', '01:02:03+02', '00000000-0000-0000-0000-000000000001')"
    )
    assert json.loads(await Odds(tables).get_json(1, into=OddSeen)) == {
        "host": str(IPv4Interface("10.0.0.1/8")),
        "net": str(IPv4Network("10.0.0.0/8")),
        "card": "08:00:2b:01:02:03",
        "bits": "1010",
        "hours": {"lower": 1, "upper": 5, "bounds": "[)", "empty": False},
        "zoned": "01:02:03+02:00",
        "hex": "00000000-0000-0000-0000-000000000001",
    }


async def test_arrays_ranges_and_composites_are_arrays_and_objects(tables, outside):
    await outside.execute(
        "INSERT INTO nested (id, matrix, hours, ranges, pair) "
        "VALUES (1, '{{1,2},{3,4}}', '{[1,2),[5,6)}', '{\"[1,2)\"}', '(1,b)')"
    )
    one = {"lower": 1, "upper": 2, "bounds": "[)", "empty": False}
    assert json.loads(await Nesteds(tables).get_json(1, into=NestedSeen)) == {
        "matrix": [[1, 2], [3, 4]],
        "hours": [one, {**one, "lower": 5, "upper": 6}],
        "ranges": [one],
        "pair": {"a": 1, "b": "b"},
    }


class Opaque:
    """Has no form in JSON."""

    def __init__(self, secret):
        self.secret = secret

    def __repr__(self):
        return self.secret


@dataclass
class Hidden:
    id: int
    owner: Any

    def __post_init__(self):
        self.owner = Opaque(self.owner)


class HiddenModel(pydantic.BaseModel):
    id: int
    owner: Any

    @pydantic.field_validator("owner")
    @classmethod
    def _hide(cls, owner):
        return Opaque(owner)


@dataclass
class PageHidden:
    title: Any

    def __post_init__(self):
        self.title = Opaque(self.title)


@dataclass
class FolderHidden:
    id: int
    documents: list[PageHidden]


@pytest.mark.parametrize("into", [Hidden, HiddenModel])
async def test_what_has_no_form_in_json_is_named_without_its_value(accounts, into):
    for read in (accounts.json(into=into), accounts.get_json(1, into=into)):
        with pytest.raises(ProjectionError, match=rf"{into.__name__}\.owner has a value of type Opaque") as refused:
            await read
        assert "one" not in str(refused.value).replace("None", "").partition("Read it")[0]


async def test_what_has_no_form_in_json_is_found_in_a_collection(db, outside):
    await outside.execute("INSERT INTO folder VALUES (1, 'a', 1), (2, 'b', 1)")
    await outside.execute("INSERT INTO document VALUES (1, 2, 'note', 't', 1)")
    with pytest.raises(ProjectionError, match=r"PageHidden\.title has a value of type Opaque"):
        await Folders(db).json(into=FolderHidden)


@dataclass
class AsText:
    hours: Annotated[str, Expr(cast(Odd.hours, Text))]


async def test_the_advice_helps(tables, outside):
    await outside.execute("INSERT INTO odd (id, hours) VALUES (1, '[1,5)')")
    assert await Odds(tables).json(into=AsText) == b'[{"hours":"[1,5)"}]'


async def test_json_outside_is_one_round_trip(faulty_network, database_url):
    async with Database(faulty_network.url, pool=PoolConfig(size=1)) as db:
        for _ in range(3):
            before = faulty_network.round_trips
            await Accounts(db).json(into=AccountStruct)
        assert faulty_network.round_trips - before == 1


async def test_pending_changes_are_in_the_json_of_their_unit_of_work(db):
    async with Office(db) as office:
        office.session.add(Account(id=1, owner="new", balance=0))
        assert await office.accounts.json(into=AccountTuple) == b'[[1,"new"]]'
