"""The options of a repository's reads."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy.orm.interfaces import ORMOption

from dal.lazy_loading import Lazy, LazyOption
from dal.loading.asking import Answers
from dal.loading.columns import answer_columns
from dal.loading.lazily import answer
from dal.loading.ways import watch


def watch_model(model: type[Any]) -> None:
    """Have what is read of *model*, and of all that is mapped beside it, asked for as the modes say."""
    watch(model, Answers(answer, answer_columns))


@lru_cache(maxsize=1_000)
def lazily(model: type[Any], mode: Lazy | None) -> tuple[ORMOption, ...]:
    """Give the options under every read of *model*: what it leaves unloaded does as a repository's *mode* says."""
    watch_model(model)
    return () if mode is None else (LazyOption(mode, (), is_default=True),)
