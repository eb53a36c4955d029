"""Revisions to judge: unsafe ones, which name what is to be found, and safe ones."""
