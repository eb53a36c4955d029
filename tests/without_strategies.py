"""A pytest plugin, for `-p tests.without_strategies`: as with a SQLAlchemy whose loader strategies are others."""

import sys

sys.modules["dal.loading.strategies"] = None  # type: ignore[assignment] # which makes its import fail
