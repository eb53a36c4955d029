"""What tests of text sources share: a source read to its end, and its chunks put together."""

from io import BytesIO

import pyarrow as pa

from dal.copy.records import CHUNK_ROWS
from dal.copy.text import Csv, open_csv, open_ndjson


def csv(data, form=None, columns=None):
    """Read *data*, bytes or several of them; give the records by number and the broken ones."""
    return _together(open_csv(_streams(data), form or Csv()), columns)


def ndjson(data, columns=None):
    """Read *data* as `csv` does."""
    return _together(open_ndjson(_streams(data)), columns)


def chunks(opened, columns=None):
    """Draw all chunks of an opened source."""
    with opened as records:
        schema = records.schema
        wanted = schema if columns is None else pa.schema(map(schema.field, columns))
        return list(records.chunks(wanted))


def _streams(data):
    return [BytesIO(one) for one in ([data] if isinstance(data, bytes) else data)]


def _together(opened, columns):
    whole, broken = {}, {}
    for chunk in chunks(opened, columns):
        rows = [tuple(row.values()) for row in chunk.batch.to_pylist()]
        assert len(rows) == len(chunk.numbers)
        assert len(rows) + len(chunk.broken) <= CHUNK_ROWS
        whole.update(zip(chunk.numbers, rows, strict=True))
        broken.update({one.number: one for one in chunk.broken})
    assert list(whole) == sorted(whole)
    assert list(broken) == sorted(broken)
    assert sorted([*whole, *broken]) == list(range(1, len(whole) + len(broken) + 1))
    return whole, broken
