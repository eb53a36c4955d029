"""One element of an ordering: an expression, its direction, where its NULLs stand, and whether it can have any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import (
    ClauseElement,
    Column,
    ColumnElement,
    ColumnExpressionArgument,
    Join,
    Label,
    Table,
    Text,
    UnaryExpression,
    select,
    type_coerce,
    types,
)
from sqlalchemy.orm import Mapper, QueryableAttribute, RelationshipProperty
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.sql import operators
from sqlalchemy.sql.functions import Function
from sqlalchemy.sql.type_api import TypeEngine

from dal.errors import KeysetError
from dal.keyset.values import DIALECT, carried_as, kind_of, text_of, value_of

_MODIFIERS: Final = (operators.asc_op, operators.desc_op, operators.nulls_first_op, operators.nulls_last_op)
# Functions that give text of text; SQLAlchemy does not know what they give.
_OF_TEXT: Final = frozenset({"lower", "upper"})


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """`carried` is the type it is compared in; `attribute` is what it is called in the mapping, if it is a column."""

    expression: ColumnElement[Any]
    carried: TypeEngine[Any]
    attribute: str | None = None
    is_descending: bool = False
    nulls_first: bool = False
    is_nullable: bool = True

    @property
    def reversed(self) -> Element:
        """The same one read backwards."""
        return replace(self, is_descending=not self.is_descending, nulls_first=not self.nulls_first)

    @property
    def operand(self) -> ColumnElement[Any]:
        """The expression as compared: by the server's operators, whatever its type makes of them in Python."""
        return type_coerce(self.expression, self.carried)

    @property
    def clause(self) -> ColumnElement[Any]:
        """The element of ORDER BY. Only NULLs that stand elsewhere than by default are named, as in an index."""
        ordered = self.operand.desc() if self.is_descending else self.operand.asc()
        if self.nulls_first == self.is_descending:
            return ordered
        return ordered.nulls_first() if self.nulls_first else ordered.nulls_last()

    @property
    def text(self) -> ColumnElement[str | None]:
        """Its value in a row, as text."""
        return text_of(self.expression, self.carried)

    def value(self, text: str) -> ColumnElement[Any]:
        """Make the value of its text again."""
        return value_of(text, self.carried)

    @property
    def words(self) -> str:
        """What it is, the same in every process: SQL, and the values in it."""
        type_ = self.carried.compile(dialect=DIALECT)
        return f"{_words(self.expression)} {type_} {self.is_descending} {self.nulls_first}"


def element_of(mapper: Mapper[Any], argument: ColumnExpressionArgument[Any]) -> Element:
    """Read one argument of `order_by`; raises `KeysetError` for what has no place of its own in a row of the class."""
    expression, modifiers = _unwrapped(argument)
    attribute, is_nullable = _column_of(mapper, expression)
    is_descending = operators.desc_op in modifiers
    nulls_first = operators.nulls_first_op in modifiers or (is_descending and operators.nulls_last_op not in modifiers)
    carried = carried_as(_type_of(expression), argument)
    if attribute is None:
        _refuse_other_tables(mapper, expression, argument)
    return Element(expression, carried, attribute, is_descending, nulls_first, is_nullable)


def _words(expression: ColumnElement[Any]) -> str:
    if isinstance(expression, Column) and hasattr(expression.table, "fullname"):
        return f"{expression.table.fullname}.{expression.name}"
    compiled = expression.compile(dialect=DIALECT)
    return f"{compiled} {sorted(compiled.params.items())}"


def _unwrapped(argument: ColumnExpressionArgument[Any]) -> tuple[ColumnElement[Any], list[Any]]:
    if isinstance(argument, QueryableAttribute) and isinstance(argument.property, RelationshipProperty):
        raise KeysetError(f"{argument} is a relationship: order by its columns.")
    expression: Any = _clause_of(argument)
    modifiers: list[Any] = []
    while isinstance(expression, UnaryExpression) and expression.modifier in _MODIFIERS:
        modifiers.append(expression.modifier)
        expression = expression.element
    while isinstance(expression, Label) or getattr(expression, "__visit_name__", "") == "label_reference":
        expression = expression.element
    if not isinstance(expression, ColumnElement):
        raise KeysetError(f"{argument} is no expression of one value: give attributes, such as Order.placed.desc().")
    return expression, modifiers


def _clause_of(argument: Any) -> Any:
    while hasattr(argument, "__clause_element__") and not isinstance(argument, ClauseElement):
        argument = argument.__clause_element__()
    return argument


def _column_of(mapper: Mapper[Any], expression: ColumnElement[Any]) -> tuple[str | None, bool]:
    """Name the attribute whose column *expression* is, and say whether it can be NULL."""
    if not isinstance(expression, Column):
        return None, True
    try:
        attribute = mapper.get_property_by_column(expression).key
    except UnmappedColumnError:
        return None, True
    return attribute, expression.nullable is not False or expression.table not in own_tables(mapper)


def own_tables(mapper: Mapper[Any]) -> set[Any]:
    """Give the tables of which each row of the class has exactly one row."""
    return {each.local_table for each in mapper.iterate_to_root() if isinstance(each.local_table, Table)}


def _refuse_other_tables(mapper: Mapper[Any], expression: ColumnElement[Any], argument: object) -> None:
    here = {*mapper.tables, *_parts(mapper.selectable)}
    for source in select(expression).get_final_froms():
        if not _parts(source) <= here:
            raise KeysetError(
                f"{argument} is of another table than {mapper.class_.__name__}: order by a scalar subquery, or by a "
                "column_property() of the class."
            )


def _parts(source: Any) -> set[Any]:
    return _parts(source.left) | _parts(source.right) if isinstance(source, Join) else {source}


def _type_of(expression: ColumnElement[Any]) -> TypeEngine[Any]:
    if not isinstance(expression.type, types.NullType) or not isinstance(expression, Function):
        return expression.type
    is_text = all(isinstance(kind_of(_type_of(each)), types.String) for each in expression.clauses)
    return Text() if is_text and expression.name in _OF_TEXT else expression.type
