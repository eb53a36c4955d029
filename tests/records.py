"""Arrow records for the tests' own tables."""

from __future__ import annotations

import pyarrow as pa

ACCOUNT = pa.schema([("id", pa.int32()), ("owner", pa.string()), ("balance", pa.int32())])


def accounts(*ids: int, balance: int = 0) -> pa.Table:
    """Make an account for each of *ids*."""
    rows = [{"id": key, "owner": f"owner {key}", "balance": balance} for key in ids]
    return pa.Table.from_pylist(rows, schema=ACCOUNT)
