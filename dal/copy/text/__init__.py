"""Text files as sources of a load: CSV, TSV and NDJSON, packed or not, one or many."""

from dal.copy.text.delimited import open_csv
from dal.copy.text.form import Csv
from dal.copy.text.inputs import Input, resolve, suffix_of
from dal.copy.text.ndjson import Ndjson, open_ndjson

__all__ = ["Csv", "Input", "Ndjson", "open_csv", "open_ndjson", "resolve", "suffix_of"]
