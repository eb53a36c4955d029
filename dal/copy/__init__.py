"""COPY: records of any kind into a table, and rows out into files, at the server's own speed.

Needs the extra `arrow`.
"""

from dal.errors import extra_needed

with extra_needed("arrow"):
    from dal.copy.asked import Action, Conflict, CopyOptions, OnError, Rejecting
    from dal.copy.entry import copy_in
    from dal.copy.out import (
        ArrowBatches,
        CopyOutProgress,
        CopyOutReport,
        CsvOut,
        Form,
        NdjsonOut,
        OnCopyOutProgress,
        ParquetOut,
        Target,
        What,
        copy_batches,
        copy_out,
    )
    from dal.copy.report import CopyReport, OnProgress, Progress, Rejected
    from dal.copy.source import Source
    from dal.copy.text import Csv, Ndjson

__all__ = [
    "Action",
    "ArrowBatches",
    "Conflict",
    "CopyOptions",
    "CopyOutProgress",
    "CopyOutReport",
    "CopyReport",
    "Csv",
    "CsvOut",
    "Form",
    "Ndjson",
    "NdjsonOut",
    "OnCopyOutProgress",
    "OnError",
    "OnProgress",
    "ParquetOut",
    "Progress",
    "Rejected",
    "Rejecting",
    "Source",
    "Target",
    "What",
    "copy_batches",
    "copy_in",
    "copy_out",
]
