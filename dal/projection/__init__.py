"""Reads whose return type is the loading plan."""

from dal.projection.assembly import assemble
from dal.projection.coalescing import Lookups
from dal.projection.compiling import IS_UNDERSTOOD, Statements
from dal.projection.lookup import get, get_many, lookup_of
from dal.projection.markers import Expr, From, Load
from dal.projection.planning import plan_of
from dal.projection.reading import ProjectionSource, fetch, read

__all__ = [
    "IS_UNDERSTOOD",
    "Expr",
    "From",
    "Load",
    "Lookups",
    "ProjectionSource",
    "Statements",
    "assemble",
    "fetch",
    "get",
    "get_many",
    "lookup_of",
    "plan_of",
    "read",
]
