"""The parents' keys as arrays, and how a column meets them: as the server compares, not as Python does.

Pure. The keys come back with the rows, to say whose these are: as the column has them where Python tells such values
apart just as the server does, else as they were sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, CHAR, ColumnElement, Integer, String, TypeDecorator, any_, bindparam, column, func
from sqlalchemy.dialects.postgresql import CITEXT, DOMAIN
from sqlalchemy.sql.functions import Function

from dal.projection.plan import key_names


def among(own: ColumnElement[Any], kind: Any) -> ColumnElement[bool] | None:
    """Say that *own* is one of the keys, which are of this *kind*; None if that takes more than an array of them."""
    (name,) = key_names(1)
    key = bindparam(name, type_=ARRAY(kind))
    return None if kind.bind_expression(key) is not None else own == any_(key)


def table_of(types: Sequence[Any]) -> Any:
    """Give the keys as a table with a column of each type."""
    names = key_names(len(types))
    arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in zip(names, types, strict=True)]
    columns = [column(name, kind) for name, kind in zip(names, types, strict=True)]
    return unnested(arrays).table_valued(*columns).render_derived(name="parents")


def equal(own: ColumnElement[Any], key: ColumnElement[Any]) -> ColumnElement[bool]:
    """Say that *own* is the *key*, which was sent without what the server does to values on their way in."""
    converted: Any = key.type.bind_expression(key)  # type: ignore[arg-type] # typed for parameters, made for any
    return own == (key if converted is None else converted)


def is_told_apart(own: Any, key: Any) -> bool:
    """Tell whether values of both types are equal in Python if, and only if, the server says so."""
    if isinstance(own, Integer) and isinstance(key, Integer):
        return True
    served = _served(own)
    is_loose = isinstance(served, CITEXT | CHAR) or (isinstance(served, String) and served.collation is not None)
    return not is_loose and repr(own) == repr(key)


def _served(kind: Any) -> Any:
    """Look through what is a type for Python or for checks only."""
    while isinstance(kind, TypeDecorator | DOMAIN):
        kind = kind.impl_instance if isinstance(kind, TypeDecorator) else kind.data_type
    return kind


def unnested(arrays: Sequence[Any]) -> Function[Any]:
    """Call PostgreSQL's own unnest on *arrays*, whatever the search path has for one of some type."""
    # Of several arrays there is no other: it is syntax then, and has no schema.
    return func.unnest(*arrays) if len(arrays) > 1 else func.pg_catalog.unnest(*arrays)
