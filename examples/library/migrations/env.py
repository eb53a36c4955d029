from dal.migrations import run_env

from library.models import Base

run_env(Base.metadata)
