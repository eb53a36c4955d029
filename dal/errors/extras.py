"""A package that is not installed, said in one line.

Refuses: importing any.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from dal.errors.own import MissingExtra


@contextmanager
def extra_needed(extra: str) -> Generator[None]:
    """Turn the import of a package that is not installed into one line that names dal's *extra* for it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "dal":
            raise
        raise MissingExtra(f"{error.name} is not installed: pip install 'dal[{extra}]'") from error
