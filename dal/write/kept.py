"""Statements over arrays, built once for each kind of call: to build one takes longer than to run it on a few rows.

Pure. Kept are those that depend on the mapping and the attributes alone; one with a condition of the caller's, a
default in SQL or an `onupdate` is built anew.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from dal.write.batch import Batch, Shape, empty_batch
from dal.write.source import fits_arrays, inline
from dal.write.statements import Conflict, counted, insertion, upsertion
from dal.write.target import Target

# An application has some hundred kinds of calls; a statement takes some ten kilobytes.
_MOST: Final = 500


def is_keepable(batch: Batch) -> bool:
    """Tell whether the rows' kind says all about their statement."""
    return not batch.inlined and fits_arrays(batch)


@lru_cache(_MOST)
def kept_insertion(target: Target, shape: Shape, returned: tuple[Any, ...]) -> Any:
    """Build an INSERT over arrays, once."""
    batch = empty_batch(shape)
    statement = insertion(target, batch, inline(batch))
    return statement.returning(*target.labelled(returned)) if returned else statement


@lru_cache(_MOST)
def kept_upsertion(target: Target, shape: Shape, conflict: Conflict, returned: tuple[Any, ...]) -> Any:
    """Build an upsert over arrays, once."""
    batch = empty_batch(shape)
    statement = upsertion(target, batch, inline(batch), conflict)
    return statement.returning(*target.labelled(returned)) if returned else statement


@lru_cache(_MOST)
def kept_count(target: Target, shape: Shape, conflict: Conflict, server: tuple[Any, ...]) -> Any:
    """Build an upsert over arrays that counts, once."""
    return counted(kept_upsertion(target, shape, conflict, ()), target, server)
