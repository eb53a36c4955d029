"""Whether an expression gives one value for many rows, so that what stands beside it must be grouped by.

Pure.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Over, ScalarSelect
from sqlalchemy.sql.functions import FunctionElement

# PostgreSQL's own (Aggregate Functions, general-purpose and for statistics); an application's own are not known here.
_NAMES: Final = frozenset(
    """
    any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp every json_agg
    json_object_agg jsonb_agg jsonb_object_agg max min mode percentile_cont percentile_disc range_agg
    range_intersect_agg regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    stddev stddev_pop stddev_samp string_agg sum var_pop var_samp variance xmlagg
    """.split()  # noqa: SIM905 # a list of forty-three strings reads worse
)


def is_aggregate(expression: Any) -> bool:
    """Tell whether *expression* has an aggregate function of its own: not a window's, and not a subquery's."""
    if isinstance(expression, Over | ScalarSelect):
        return False
    if isinstance(expression, FunctionElement) and getattr(expression, "name", "").lower() in _NAMES:
        return True
    element = expression.__clause_element__() if hasattr(expression, "__clause_element__") else expression
    return any(map(is_aggregate, element.get_children()))
