"""Whether types fit a mapped class: for the tests of an application, which then finds out before its first request.

Pure. Refuses: asking a server whether the tables are as the mapping says.
"""

from __future__ import annotations

from typing import Any

from dal.errors import ProjectionError
from dal.projection.misfits import collecting, raise_all
from dal.projection.planning import plan_of


def check_projections(model: Any, *types: Any) -> None:
    """Plan how each of *types* is read of *model*; raise one `ProjectionError` with a line for every misfit of all.

    Nothing is sent, and nothing is connected. What is planned here is planned for the process.
    """
    misfits: list[ProjectionError] = []
    for each in types:
        with collecting(misfits):
            plan_of(model, each)
    raise_all(misfits)
