"""Alembic's entry for the corpus."""

from dal.migrations import run_env
from tests.lint_corpus.models import Base

run_env(Base.metadata)
