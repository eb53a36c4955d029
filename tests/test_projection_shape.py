"""The shape of a type that rows are read into: its fields, how its objects are made, what is refused. No server."""

import re
import sys
from types import SimpleNamespace
from typing import Any, get_args

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from dal.errors import ProjectionError
from dal.projection import Expr, From, Load
from dal.projection.shape import is_shape, refuse_circle, shape_of
from tests import models
from tests import projection_shapes as shapes
from tests.projection_shapes import COUNT, MARKED, NAME, NEWEST, VARIANTS

VALUES = {"number": st.integers(), "name": st.text(), "note": st.none() | st.text()}


# No Python before 3.12 reads them.
STATEMENTS = """
from typing import NamedTuple
type Maybe[T] = T | None
type Several[T] = list[T]
type Same[T] = T
type Tree = dict[str, Tree]

class Row(NamedTuple):
    a: Maybe[int]
    b: Several[int]
    c: Same[int]
    d: Tree
"""


def _fields(type_):
    return {field.name: field for field in shape_of(type_).fields}


def _hinted(name):
    return _fields(shapes.Hinted)[name]


@pytest.mark.parametrize("type_", VARIANTS)
def test_a_type_has_the_fields_that_a_read_can_fill(type_):
    fields = _fields(type_)
    assert set(fields) == {"number", "name", "note"}
    assert {name: field.hint for name, field in fields.items()} == {"number": int, "name": str, "note": str}
    assert [name for name, field in fields.items() if field.is_optional] == ["note"]
    assert {name for name, field in fields.items() if field.is_required} >= {"number", "name"}


@pytest.mark.parametrize("type_", [each for each in VARIANTS if each is not shapes.OpenConstructor])
def test_a_default_makes_a_field_not_required(type_):
    assert not _fields(type_)["note"].is_required


@pytest.mark.parametrize("type_", VARIANTS)
@given(data=st.data())
def test_objects_of_columns_are_those_of_the_constructor(type_, data):
    names = data.draw(st.permutations(data.draw(st.sampled_from([["number", "name"], list(VALUES)]))))
    rows = data.draw(st.lists(st.tuples(*(VALUES[name] for name in names))))
    columns = [[row[place] for row in rows] for place in range(len(names))]
    made = shape_of(type_).maker(names)([iter(columns[0]), *columns[1:]])
    assert made == [type_(**dict(zip(names, row, strict=True))) for row in rows]
    assert all(type(each) is (dict if issubclass(type_, dict) else type_) for each in made)


@pytest.mark.parametrize("type_", VARIANTS)
def test_a_shape_is_read_once(type_):
    assert is_shape(type_)
    assert shape_of(type_) is shape_of(type_)
    assert shape_of(type_).type is type_


def test_no_names_are_no_objects():
    with pytest.raises(ProjectionError, match=r"^no field of Plain has a value to read: name one at least"):
        shape_of(shapes.Plain).maker([])


def test_what_a_constructor_raises_goes_through():
    with pytest.raises(LookupError, match="7"):
        shape_of(shapes.Picky).maker(["number"])([[7]])


# pydantic


def test_a_model_is_filled_by_name_whatever_its_aliases():
    (made,) = shape_of(shapes.Aliased).maker(["note", "number", "name"])([["note"], [1], ["name"]])
    assert (made.number, made.name, made.note) == (1, "name", "note")


def test_a_name_that_is_anothers_alias_is_a_name():
    (made,) = shape_of(shapes.Crossed).maker(["number", "other"])([[1], [2]])
    assert (made.number, made.other) == (1, 2)


def test_a_strict_dataclass_of_pydantics_is_filled_by_name():
    fields = _fields(shapes.AliasedStrict)
    assert {name: field.is_required for name, field in fields.items()} == {"number": True, "name": False}
    (made,) = shape_of(shapes.AliasedStrict).maker(["number"])([[1]])
    assert (made.number, made.name, made.kind) == (1, "name", "strict")


def test_a_dataclass_below_one_of_pydantics_goes_by_its_constructor():
    maker = shape_of(shapes.BelowValidated).maker(["more", "name", "number"])
    (made,) = maker([["much"], ["name"], [1]])
    assert made == shapes.BelowValidated(1, "name", more="much")
    assert not _fields(shapes.BelowValidated)["more"].is_required


def test_a_document_inside_keeps_its_aliases():
    (made,) = shape_of(shapes.User).maker(["number", "settings"])([[1], [{"darkMode": True}]])
    assert made.settings.dark_mode


def test_a_model_validates():
    (made,) = shape_of(shapes.Model).maker(["number", "name"])([["42"], ["name"]])
    assert made == shapes.Model(number=42, name="name")


def test_models_inside_are_not_validated_again():
    inner = shape_of(shapes.Counted).maker(["number"])([[1, 2, 3]])
    plain = shapes.Plain(1, "one")
    shapes.VALIDATED.clear()
    (made,) = shape_of(shapes.Holder).maker(["one", "several", "plain"])([[inner[0]], [inner[1:]], [plain]])
    assert made.one is inner[0]
    assert [each is inner[place] for place, each in enumerate(made.several, 1)] == [True, True]
    assert made.plain is plain
    assert shapes.VALIDATED == []


@pytest.mark.parametrize(
    ("type_", "columns", "told"),
    [
        (
            shapes.Model,
            {"number": "s3cret", "name": 5},
            "Model refuses a row: number (int_parsing), name (string_type)",
        ),
        (shapes.Validated, {"number": "s3cret", "name": "x"}, "Validated refuses a row: number (int_parsing)."),
        (shapes.Aliased, {"number": "s3cret", "name": "x"}, "Aliased refuses a row: number (int_parsing)."),
        (shapes.Aliased, {"number": 1, "name": 5}, "Aliased refuses a row: name (string_type)."),
        (shapes.Crossed, {"number": 1, "other": "s3cret"}, "Crossed refuses a row: other (int_parsing)."),
        (shapes.AliasedStrict, {"number": "s3cret"}, "AliasedStrict refuses a row: number (int_type)."),
        (shapes.Whole, {"low": 11, "high": {}}, "Whole refuses a row: the whole (value_error)."),
        (shapes.Whole, {"low": 1, "high": {"s3cret": "x", "s3cret2": "x"}}, "Whole refuses a row: high (int_parsing)."),
    ],
)
def test_a_refused_row_names_type_field_and_kind_and_no_value(type_, columns, told):
    maker = shape_of(type_).maker(list(columns))
    with pytest.raises(ProjectionError) as caught:
        maker([[value] for value in columns.values()])
    assert str(caught.value).startswith(told)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__  # pydantic's own words have the value


def test_a_generic_model_of_a_type_is_a_type():
    assert _fields(shapes.ModelBox[int])["value"].hint is int


# Annotations


@pytest.mark.parametrize(
    ("name", "hint", "is_optional"),
    [
        ("plain", int, False),
        ("optional", int, True),
        ("number", int, False),
        ("numbers", list[int], False),
        ("text", str, True),
        ("final", str, False),
        ("flipped", dict[str, int], False),
        ("anything", Any, True),
        ("something", object, True),
        ("counted", int, False),
        ("newest", list[shapes.Plain], True),
        ("inside", list[shapes.Plain], True),
        ("whole", shapes.Plain, True),
        ("choice", int | str, False),
    ],
)
def test_a_hint_is_looked_through(name, hint, is_optional):
    assert _hinted(name).hint == hint
    assert _hinted(name).is_optional is is_optional


@pytest.mark.parametrize(
    ("name", "source", "load"),
    [
        ("plain", None, None),
        ("text", NAME, None),
        ("counted", COUNT, None),
        ("newest", None, NEWEST),
        ("inside", None, NEWEST),
        ("map", NAME, None),
        ("deep", NAME, None),
    ],
)
def test_what_annotated_says_is_found(name, source, load):
    assert _hinted(name).source is source
    assert _hinted(name).load is load


@pytest.mark.parametrize("type_", MARKED)
def test_every_kind_keeps_what_annotated_says(type_):
    fields = _fields(type_)
    assert fields["total"].source is COUNT
    assert fields["name"].source is NAME
    assert fields["name"].is_optional
    assert fields["parts"].load is NEWEST


@pytest.mark.parametrize("name", ["listed", "sequence", "collected", "iterated", "newest"])
def test_a_list_stays_the_list_it_is(name):
    rows = [object()]
    assert _hinted(name).collection(rows) is rows
    assert _hinted(name).item is shapes.Plain


@pytest.mark.parametrize(
    ("name", "collection", "item"),
    [
        ("unique", set, shapes.FrozenStruct),
        ("fixed", frozenset, shapes.Frozen),
        ("tupled", tuple, shapes.Plain),
        ("pair", None, None),
        ("bare", None, None),
        ("plain", None, None),
        ("map", None, None),
    ],
)
def test_a_collection_is_made_of_a_list(name, collection, item):
    assert _hinted(name).collection is collection
    assert _hinted(name).item is item


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the statement is of Python 3.12")
def test_an_alias_by_statement_is_looked_through():
    made = {}
    exec(STATEMENTS, made)
    fields = _fields(made["Row"])
    assert [fields[name].hint for name in "abc"] == [int, list[int], int]
    assert [fields[name].is_optional for name in "abcd"] == [True, False, False, False]
    assert get_args(fields["d"].hint) == (str, made["Tree"])


# Markers


def test_a_load_keeps_tuples():
    one = select(1).scalar_subquery()
    assert Load(order_by=one, where=[one, one]).order_by == (one,)
    assert len(Load(where=[one, one]).where) == 2
    assert (Load().order_by, Load().where, Load().limit) == ((), (), None)


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "3"])
def test_a_limit_is_a_number_of_rows(limit):
    with pytest.raises(ProjectionError, match=re.escape(f"Load(limit={limit!r}) is no number of rows: give 1 or more")):
        Load(limit=limit)


def test_from_names_an_attribute_at_least():
    with pytest.raises(ProjectionError, match=r"^From\(\) names no attribute"):
        From()


def test_markers_compare_by_identity():
    one = func.count()
    assert Expr(one) != Expr(one)
    assert From(one) != From(one)
    assert Load() != Load()
    assert len({Expr(one), Expr(one)}) == 2


# What is refused


@pytest.mark.parametrize(
    ("type_", "told"),
    [
        (int, "int is none of what rows can be read into: give a dataclass, a msgspec.Struct, a pydantic model"),
        (list[shapes.Plain], "list[tests.projection_shapes.Plain] is none of what"),
        (SimpleNamespace(password="s3cret"), "an object of SimpleNamespace is none of what"),
        (shapes.Plain(1, "s3cret"), "an object of Plain is none of what"),
        ([], "an object of list is none of what"),
        (pydantic.RootModel[int], "RootModel[int] is none of what"),
        (models.Account, "Account is an entity: leave into= out."),
        (shapes.Entity, "Entity is an entity: leave into= out."),
        (shapes.Box[int], "tests.projection_shapes.Box[int] is a generic alias: write a class without"),
        (shapes.Box, "Box.value has the type variable T: write a class without"),
        (shapes.ModelBox, "ModelBox.value has the type variable T: write a class without"),
        (shapes.Bare, "Bare has no fields: annotate what is to be read."),
        (shapes.Absent, "Absent.total cannot be resolved: name 'Decimal' is not defined. Put what it names at"),
        (shapes.AbsentModel, "AbsentModel.total cannot be resolved: name 'Nowhere' is not defined."),
        (shapes.AbsentStruct, "AbsentStruct.total cannot be resolved: module 'msgspec' has no attribute 'Nowhere'."),
        (shapes.AbsentInside, "AbsentInside.totals cannot be resolved: list[Nowhere]."),
        (shapes.Seeded, "Seeded() asks for seed, which is no field"),
        (shapes.SetOfPlain, "SetOfPlain.parts is a set of Plain, which has no hash: make it frozen, or take a list."),
        (shapes.SetOfStructs, "SetOfStructs.parts is a set of Struct, which has no hash"),
        (shapes.SetOfMappings, "SetOfMappings.parts is a set of Mapping, which has no hash"),
        (shapes.SetOfModels, "SetOfModels.parts is a set of Model, which has no hash"),
        (shapes.SetOfLists, "SetOfLists.parts is a set of list[int], which has no hash"),
        (shapes.Either, "Either.part is a union of several types: annotate it with one, or Annotated[..., From("),
        (shapes.ByName, "ByName.parts holds Plain too deep: annotate it with Plain or list[Plain], or Annotated["),
        (shapes.Nested, "Nested.parts holds Plain too deep"),
        (shapes.Holes, "Holes.parts holds Plain too deep"),
        (shapes.Boxed, "Boxed.part: tests.projection_shapes.Box[int] is a generic alias"),
        (shapes.TwoSources, "TwoSources.number has 2 of From() and Expr(): a field has one value, leave one."),
        (shapes.TwoLoads, "TwoLoads.parts has 2 Load(): say all of it in one."),
        (shapes.LoadOfOne, "LoadOfOne.part has Load(), and is no collection"),
        (
            shapes.MarkerInside,
            "MarkerInside.parts has Load() inside of its collection: write Annotated[list[...], ...].",
        ),
        (shapes.MarkerClass, "MarkerClass.number has Expr without brackets"),
        (shapes.Node, "Node.children -> Node is a circle"),
        (shapes.Parent, "Parent.friend -> Friend.parents -> Parent is a circle"),
        (shapes.Friend, "Friend.parents -> Parent.friend -> Friend is a circle"),
    ],
)
def test_it_is_refused_with_type_field_and_what_to_do(type_, told):
    with pytest.raises(ProjectionError) as caught:
        shape_of(type_)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize("type_", [int, list[shapes.Plain], shapes.Box[int], models.Account, None, [], "Plain"])
def test_it_is_no_shape(type_):
    assert not is_shape(type_)


@pytest.mark.parametrize("type_", [shapes.Above, shapes.AsDocument, shapes.Plain])
def test_a_circle_that_does_not_lead_back_is_for_the_type_it_is_of(type_):
    refuse_circle(type_)
    assert shape_of(type_).fields
