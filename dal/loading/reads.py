"""What the entities of dal's sessions do with what was left unloaded, and the options of a repository's reads."""

from __future__ import annotations

from functools import cache

from sqlalchemy.orm.interfaces import ORMOption

from dal.lazy_loading import Lazy, LazyOption
from dal.loading.asking import Answers
from dal.loading.columns import answer_columns
from dal.loading.lazily import answer
from dal.loading.ways import watch

watch(Answers(answer, answer_columns))


@cache
def lazily(mode: Lazy | None) -> tuple[ORMOption, ...]:
    """Give the options under every read of a repository: what it leaves unloaded does as its *mode* says."""
    return () if mode is None else (LazyOption(mode, (), is_default=True),)
