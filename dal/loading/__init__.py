"""What a read loads, and how the rest comes when it is asked for."""

from dal.loading.explicit import load
from dal.loading.plan import Plan
from dal.loading.reads import lazily

__all__ = ["Plan", "lazily", "load"]
