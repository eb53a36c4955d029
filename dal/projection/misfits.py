"""All that does not fit, in one error: somebody who mends a type wants to know of every field.

Pure.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from dal.errors import ProjectionError


@contextmanager
def collecting(misfits: list[ProjectionError]) -> Generator[None]:
    """Keep the `ProjectionError` that the block raises, and go on."""
    try:
        yield
    except ProjectionError as error:
        misfits.append(error)


def raise_all(misfits: Sequence[ProjectionError]) -> None:
    """Raise them, if there are any: several as one, with a line for each, said once."""
    if len(misfits) == 1:
        raise misfits[0]
    if misfits:
        raise ProjectionError("\n".join(dict.fromkeys(line for each in misfits for line in str(each).splitlines())))
