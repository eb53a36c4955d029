"""The methods of a repository that read."""

from dal.read.methods import Reads

__all__ = ["Reads"]
