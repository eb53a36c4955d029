"""Entities for tests: made one by one by a `Factory`, or drawn by hypothesis (`dal.testing.making.strategies`)."""

from dal.testing.making.factory import Factory

__all__ = ["Factory"]
