"""The guards that are broken on demand are where they are looked for, and so are the tests that stand for them."""

from __future__ import annotations

import pytest

from tests.faults.mutations import GUARDS, ROOT


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_is_in_its_place(guard):
    assert (ROOT / guard.file).read_text().count(guard.sound) == 1
    assert guard.broken != guard.sound
    assert all((ROOT / each).exists() for each in guard.tests)
