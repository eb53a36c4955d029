"""COPY: records of any kind into a table, at the server's own speed. Needs the extra `arrow`."""

from dal.errors import extra_needed

with extra_needed("arrow"):
    from dal.copy.asked import Action, Conflict, OnError, Rejecting
    from dal.copy.entry import copy_in
    from dal.copy.report import CopyReport, OnProgress, Progress, Rejected
    from dal.copy.source import Source
    from dal.copy.text import Csv

__all__ = [
    "Action",
    "Conflict",
    "CopyReport",
    "Csv",
    "OnError",
    "OnProgress",
    "Progress",
    "Rejected",
    "Rejecting",
    "Source",
    "copy_in",
]
