"""Replicas that start at once: one migrates, the others wait for it, and a killed one is in nobody's way."""

from __future__ import annotations

import random

import pytest

from tests.migration_processes import ROWS, Rounds, write


@pytest.mark.parametrize("rows", [0, ROWS], ids=["empty", "populated"])
async def test_each_revision_is_applied_once_whoever_is_killed(empty_database_url, tmp_path, rows):
    rounds = Rounds(empty_database_url, write(tmp_path).ini, random.Random(rows))
    await rounds.run(rows=rows)
