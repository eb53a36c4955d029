"""Reads whose return type is the loading plan."""

from dal.projection.assembly import assemble
from dal.projection.checking import check_projections
from dal.projection.coalescing import Lookups
from dal.projection.compiling import IS_UNDERSTOOD, AnySelect, Statements
from dal.projection.lookup import get, get_many, lookup_of
from dal.projection.markers import Expr, From, Load
from dal.projection.planning import plan_of
from dal.projection.reading import ProjectionReads, ProjectionSource, fetch, read
from dal.projection.selecting import select_into
from dal.projection.shape import is_shape, shape_of
from dal.projection.streaming import Batches, OneTransaction, stream, stream_entities

__all__ = [
    "IS_UNDERSTOOD",
    "AnySelect",
    "Batches",
    "Expr",
    "From",
    "Load",
    "Lookups",
    "OneTransaction",
    "ProjectionReads",
    "ProjectionSource",
    "Statements",
    "assemble",
    "check_projections",
    "fetch",
    "get",
    "get_many",
    "is_shape",
    "lookup_of",
    "plan_of",
    "read",
    "select_into",
    "shape_of",
    "stream",
    "stream_entities",
]
