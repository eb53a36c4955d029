"""Reads whose return type is the loading plan."""

from dal.projection.markers import Expr, From, Load

__all__ = ["Expr", "From", "Load"]
