"""Whatever does not fit is said when a type is planned, by type and field, with what to do; nothing is connected."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import msgspec
import pydantic
import pytest
from typing_extensions import TypedDict

from dal import Database
from dal.errors import ProjectionError
from dal.projection import Expr, From, Load, check_projections
from tests.projection_models import (
    Address,
    Author,
    Authors,
    Book,
    Books,
    Companies,
    Country,
    Item,
    Letter,
    Profile,
    Shelf,
    repository_of,
)


@pytest.fixture
def nowhere():
    """Lend a database that nobody can connect to."""
    return Database("postgresql+asyncpg://nobody@nowhere.invalid/none")


@dataclass
class Keyed:
    id: int


@dataclass
class Named:
    name: str


@dataclass
class Misspelt:
    id: int
    nmae: str


class MisspeltStruct(msgspec.Struct):
    nmae: str


class MisspeltModel(pydantic.BaseModel):
    nmae: str


class MisspeltTuple(NamedTuple):
    nmae: str


class MisspeltDict(TypedDict):
    nmae: str


@dataclass
class Far:
    nothing_like_it: int


@dataclass
class OneForMany:
    books: Keyed


@dataclass
class ManyForOne:
    country: list[Keyed]


@dataclass
class ManyForOneToOne:
    profile: list[Keyed]


@dataclass
class ColumnForMany:
    books: list[int]


@dataclass
class ColumnForOne:
    country: int


@dataclass
class TypeForColumn:
    name: Named


@dataclass
class MissingInside:
    books: list[Named]


@dataclass
class MissingFarInside:
    author: MissingInside


@dataclass
class NullColumn:
    fame: int


@dataclass
class NullRenamed:
    renamed: Annotated[int, From(Author.fame)]


@dataclass
class NullManyToOne:
    mentor: Keyed


@dataclass
class NullOneToOne:
    profile: "TextOnly"


@dataclass
class TextOnly:
    text: str | None


@dataclass
class NullByPath:
    country_name: Annotated[str, From(Author.country, Country.chosen)]


@dataclass
class NullAtTheEnd:
    fame: Annotated[int, From(Book.author, Author.fame)]


@dataclass
class NullInCollection:
    books: list["NullWithin"]


@dataclass
class NullWithin:
    author: "NullColumn"


@dataclass
class OneWithItself:
    id: int
    mentor: "OneWithItself | None"


@dataclass
class AuthorInACircle:
    books: list["BookInACircle"]


@dataclass
class BookInACircle:
    author: AuthorInACircle


@dataclass
class LoadOfOne:
    mentor: Annotated[Keyed | None, Load(limit=1)]


@dataclass
class LoadOfColumn:
    name: Annotated[str, Load(limit=1)]


@dataclass
class ForeignFirst:
    title: Annotated[str, From(Book.title)]


@dataclass
class ForeignStep:
    title: Annotated[str, From(Author.country, Book.title)]


@dataclass
class ThroughCollection:
    title: Annotated[str, From(Author.books, Book.title)]


@dataclass
class ThroughColumn:
    title: Annotated[str, From(Author.name, Book.title)]


@dataclass
class FromText:
    title: Annotated[str, From("name")]


@dataclass
class WrongText:
    id: str


@dataclass
class WrongNumber:
    name: int


@dataclass
class WrongDate:
    born: str | None


@dataclass
class AssociationProxied:
    titles: list[str]


@dataclass
class BothMarkers:
    name: Annotated[str, From(Author.name), Expr(Author.name)]


@dataclass
class UnionOfTypes:
    mentor: Keyed | Named


@dataclass
class SetOfUnhashable:
    books: set[Keyed]


@dataclass
class LoadWithin:
    books: list[Annotated[Keyed, Load(limit=1)]]


class Unmapped:
    id: int


# A repository, a type, and words that its error has: the type and its field, and what to do.
REFUSED: list[tuple[Any, Any, list[str]]] = [
    (Authors, Misspelt, ["Misspelt.nmae", "Did you mean name?", "Author has no attribute nmae", "Rename the field"]),
    (Authors, MisspeltStruct, ["MisspeltStruct.nmae", "Did you mean name?"]),
    (Authors, MisspeltModel, ["MisspeltModel.nmae", "Did you mean name?"]),
    (Authors, MisspeltTuple, ["MisspeltTuple.nmae", "Did you mean name?"]),
    (Authors, MisspeltDict, ["MisspeltDict.nmae", "Did you mean name?"]),
    (Authors, Far, ["Far.nothing_like_it", "It has", "fame", "give it a default"]),
    (Authors, OneForMany, ["OneForMany.books", "Author.books has many Book", "list[X]"]),
    (Authors, ManyForOne, ["ManyForOne.country", "Author.country has one Country", "X | None"]),
    (Authors, ManyForOneToOne, ["ManyForOneToOne.profile", "Author.profile has one Profile"]),
    (Authors, ColumnForMany, ["ColumnForMany.books", "Author.books is a relationship", "dataclass"]),
    (Authors, ColumnForOne, ["ColumnForOne.country", "Author.country is a relationship"]),
    (Authors, TypeForColumn, ["TypeForColumn.name", "Author.name is a column and no relationship"]),
    (Authors, MissingInside, ["Named.name", "Book has no attribute name"]),
    (Books, MissingFarInside, ["Named.name", "Book has no attribute name"]),
    (Authors, NullColumn, ["NullColumn.fame", "pd_author.fame may be NULL", "| None"]),
    (Authors, NullRenamed, ["NullRenamed.renamed", "pd_author.fame may be NULL", "| None"]),
    (Authors, NullManyToOne, ["NullManyToOne.mentor", "Author.mentor may be missing", "| None"]),
    (Authors, NullOneToOne, ["NullOneToOne.profile", "Author.profile may be missing", "| None"]),
    (Authors, NullByPath, ["NullByPath.country_name", "may be missing", "| None"]),
    (Books, NullAtTheEnd, ["NullAtTheEnd.fame", "pd_author.fame may be NULL", "| None"]),
    (Authors, NullInCollection, ["NullColumn.fame", "pd_author.fame may be NULL"]),
    (Authors, OneWithItself, ["OneWithItself.mentor", "circle"]),
    (Authors, AuthorInACircle, ["AuthorInACircle.books", "BookInACircle.author", "circle"]),
    (Authors, LoadOfOne, ["LoadOfOne.mentor", "Load()", "no collection"]),
    (Authors, LoadOfColumn, ["LoadOfColumn.name", "Load()", "no collection"]),
    (Authors, ForeignFirst, ["ForeignFirst.title", "Book.title", "Author"]),
    (Authors, ForeignStep, ["ForeignStep.title", "Book.title", "Country"]),
    (Authors, ThroughCollection, ["ThroughCollection.title", "Author.books", "many-to-one"]),
    (Authors, ThroughColumn, ["ThroughColumn.title", "Author.name", "many-to-one"]),
    (Authors, FromText, ["FromText.title", "mapped attributes", "Author."]),
    (Authors, WrongText, ["WrongText.id", "Author.id is read as int, not str", "annotate"]),
    (Authors, WrongNumber, ["WrongNumber.name", "Author.name is read as str, not int"]),
    (Authors, WrongDate, ["WrongDate.born", "Author.born is read as date, not str"]),
    (Authors, AssociationProxied, ["AssociationProxied.titles", "Author.titles", "From(...)"]),
    (Authors, BothMarkers, ["BothMarkers.name", "one value"]),
    (Authors, UnionOfTypes, ["UnionOfTypes.mentor", "union"]),
    (Authors, SetOfUnhashable, ["SetOfUnhashable.books", "hash", "frozen"]),
    (Authors, LoadWithin, ["LoadWithin.books", "Annotated[list[...], ...]"]),
    (Authors, Unmapped, ["Unmapped", "a dataclass"]),
    (Authors, Book, ["Book is an entity"]),
    (Authors, int, ["int", "a dataclass"]),
    (Authors, "Keyed", ["a dataclass"]),
]
READS: list[Callable[[Any, Any], Any]] = [
    lambda repository, into: repository.list(into=into),
    lambda repository, into: repository.get(1, into=into),
    lambda repository, into: repository.get_one(1, into=into),
    lambda repository, into: repository.get_many([1], into=into),
]


@pytest.mark.parametrize(("repository", "into", "words"), REFUSED, ids=lambda each: getattr(each, "__name__", ""))
async def test_what_does_not_fit_is_refused_by_every_read_and_nothing_is_connected(nowhere, repository, into, words):
    for read in READS:
        with pytest.raises(ProjectionError) as caught:
            await read(repository(nowhere), into)
        assert [word for word in words if word not in str(caught.value)] == []
    with pytest.raises(ProjectionError):
        check_projections(repository.model, into)


@dataclass
class Everything:
    """Fits an author in every field."""

    id: int
    name: str
    called: str
    shout: Any
    initial: str
    book_count: Any
    bio: str | None
    address: Address
    country: "CountryCard | None"
    profile: TextOnly | None
    books: Annotated[list[Keyed], Load(order_by=Book.id, limit=3)]
    old_books: list[Keyed]
    new_books: tuple[Keyed, ...]
    friends: list[Keyed]
    mentors_mentor: Annotated[int | None, From(Author.mentor, Author.mentor, Author.id)]
    next_id: Annotated[int, Expr(Author.id + 1)]
    no_attribute: int = 3
    neither: list[int] = field(default_factory=list)


@dataclass
class CountryCard:
    key: int
    chosen: str


def test_a_type_that_fits_is_not_refused():
    check_projections(Author, Everything, Keyed, Named)


def test_every_misfit_of_every_type_is_listed_once():
    with pytest.raises(ProjectionError) as caught:
        check_projections(Author, Misspelt, Keyed, NullColumn, MissingInside, MissingInside, Unmapped)
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines][:3] == ["Misspelt.nmae", "NullColumn.fame", "Named.name"]
    assert len(lines) == 4


@dataclass
class ManyMisfits:
    id: str
    nmae: str
    fame: int
    country: "ManyMoreMisfits | None"
    books: list["ManyMoreMisfits"]


@dataclass
class ManyMoreMisfits:
    one: int
    two: int


def test_every_misfit_within_a_type_is_listed():
    with pytest.raises(ProjectionError) as caught:
        check_projections(Author, ManyMisfits)
    starts = [line.partition(":")[0] for line in str(caught.value).splitlines()]
    inner = ["ManyMoreMisfits.one", "ManyMoreMisfits.two"]
    assert starts == ["ManyMisfits.id", "ManyMisfits.nmae", "ManyMisfits.fame", *inner, *inner]


def test_types_of_other_classes_are_checked_by_themselves():
    check_projections(Letter, Keyed)
    check_projections(Item, Keyed)
    for model in (Country, Profile, Shelf):
        with pytest.raises(ProjectionError, match=f"{model.__name__} has no attribute id"):
            check_projections(model, Keyed)


async def test_a_bare_attribute_needs_no_type(nowhere):
    check_projections(Author, Author.name, Author.id + 1)


@pytest.mark.parametrize("key", ["text", None, (1, 2), {"id": 1, "other": 2}, {"key": 1}, 1.5])
async def test_a_key_that_can_be_none_is_refused(nowhere, key):
    for read in ("get", "get_one"):
        with pytest.raises(ProjectionError, match=r"primary key of Author is id \(int\)"):
            await getattr(Authors(nowhere), read)(key, into=Keyed)
    with pytest.raises(ProjectionError, match=r"primary key of Author is id \(int\)"):
        await Authors(nowhere).get_many([1, key], into=Keyed)


@pytest.mark.parametrize("key", ["room", ("room",), ("room", "x"), (1, 1), {"room": "x"}])
async def test_a_part_of_a_composite_key_is_refused(nowhere, key):
    with pytest.raises(ProjectionError, match=r"primary key of Shelf is room \(str\), number \(int\)"):
        await repository_of(Shelf)(nowhere).get(key, into=TextLabel)


@dataclass
class TextLabel:
    label: str | None


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_of_nothing_is_refused(nowhere, limit):
    with pytest.raises(ValueError, match="limit is"):
        await Companies(nowhere).list(into=Keyed, limit=limit)
    with pytest.raises(ProjectionError, match="Load"):
        Load(limit=limit)
