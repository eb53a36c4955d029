"""Out of a database by COPY: a SELECT's rows into a file, into a stream, or as Arrow's record batches."""

from dal.copy.out.entry import ArrowBatches, CopyOutProgress, CopyOutReport, OnCopyOutProgress, copy_batches, copy_out
from dal.copy.out.files import Target
from dal.copy.out.forms import CsvOut, Form, NdjsonOut, ParquetOut
from dal.copy.out.reading import What

__all__ = [
    "ArrowBatches",
    "CopyOutProgress",
    "CopyOutReport",
    "CsvOut",
    "Form",
    "NdjsonOut",
    "OnCopyOutProgress",
    "ParquetOut",
    "Target",
    "What",
    "copy_batches",
    "copy_out",
]
