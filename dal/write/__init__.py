"""Writes in sets: many rows in one statement, through arrays or COPY, and changes by condition."""

from dal.write.methods import WritesInSets
from dal.write.upsert import Upserted

__all__ = ["Upserted", "WritesInSets"]
