"""Keyset pages: an ordering, the place of a row in it, and the statement that reads on from there. Pure."""

from dal.keyset.counting import CountAs, Counting
from dal.keyset.ordering import OrderBy, Ordering
from dal.keyset.page import Count, Page
from dal.keyset.window import Window

__all__ = ["Count", "CountAs", "Counting", "OrderBy", "Ordering", "Page", "Window"]
