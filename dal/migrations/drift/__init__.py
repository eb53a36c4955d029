"""Whether the models, the migrations and a live database are the same, and which of them is not."""

from dal.migrations.drift.checking import check, check_models
from dal.migrations.drift.difference import Difference, Drift, Side

__all__ = ["Difference", "Drift", "Side", "check", "check_models"]
