"""Alembic's entry for the reference shop: the same from the `alembic` command and in-process."""

from dal.demo.models import Base
from dal.migrations import run_env

run_env(Base.metadata)
