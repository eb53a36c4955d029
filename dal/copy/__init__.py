"""COPY: Arrow data and Parquet files into a table, at the server's own speed. Needs the extra `arrow`."""

from dal.errors import extra_needed

with extra_needed("arrow"):
    from dal.copy.load import copy_in
    from dal.copy.report import CopyReport, OnProgress, Progress
    from dal.copy.source import Source

__all__ = ["CopyReport", "OnProgress", "Progress", "Source", "copy_in"]
