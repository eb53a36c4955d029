"""The garbage collector is left alone until the application asks for something else."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

import pytest

import dal

# In a process of its own: what is frozen stays so.
COUNTED = """
import gc, json
default = [gc.get_threshold(), gc.get_freeze_count()]
import dal
is_same = [gc.get_threshold(), gc.get_freeze_count()] == default
def collections():
    counted = []
    gc.callbacks.append(lambda phase, info: counted.append(phase))
    kept = [{} for _ in range(100_000)]
    gc.callbacks.clear()
    return counted.count("start")
before = collections()
dal.tune_gc()
frozen = gc.get_freeze_count()
more = [{} for _ in range(10)]
dal.tune_gc()
again = gc.get_freeze_count()
print(json.dumps([is_same, before, frozen, again, collections(), gc.get_threshold()[1:] == default[0][1:]]))
"""


def test_tuning_freezes_once_and_collects_rarely():
    done = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True)
    is_same, before, frozen, again, after, is_rest_kept = json.loads(done.stdout)
    assert is_same
    assert frozen > 10_000
    assert again == frozen
    assert before > 20
    assert after <= 2
    assert is_rest_kept


@pytest.mark.parametrize("young_objects", [0, -1])
def test_a_threshold_that_would_turn_the_collector_off_is_refused(young_objects):
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="young_objects"):
        dal.tune_gc(young_objects)
    assert gc.get_threshold() == before
