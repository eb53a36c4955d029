"""What a read loads, and what happens to the rest."""

from dal.loading.raising import raise_unloaded, raise_unloaded_of

__all__ = ["raise_unloaded", "raise_unloaded_of"]
