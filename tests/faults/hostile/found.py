"""What was found, once for each place that it comes from, and kept."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.hostile.part import save


class Findings:
    """The findings of one part; each is saved for the suite, and written to *folder* for who has asked."""

    def __init__(self, part: str, folder: Path) -> None:
        self._part = part
        self._file = folder / "findings"
        self._seen: set[tuple[str, str]] = set()
        folder.mkdir(parents=True, exist_ok=True)
        self._file.touch()

    def add(self, error: BaseException, data: bytes, told: str = "") -> None:
        """Note that an input has brought about *error*; the same once only."""
        place = place_of(error)
        if (type(error).__name__, place) in self._seen:
            return
        self._seen.add((type(error).__name__, place))
        words = f"{type(error).__name__} at {place}: {told or str(error)[:500]}"
        found = {"part": self._part, "found": words, "input": repr(data), "saved": str(save(self._part, data))}
        with self._file.open("a") as file:
            file.write(json.dumps(found) + "\n")


def place_of(error: BaseException) -> str:
    """Name the last line of dal's in an error's traceback, or of what is attacking it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if "/dal/" in each.filename or "/hostile/" in each.filename]
    return "?" if not own else f"{Path(own[-1].filename).name}:{own[-1].lineno}"


def read(folder: Path) -> Sequence[dict[str, Any]]:
    """Read what was noted in a folder."""
    return [json.loads(line) for line in (folder / "findings").read_text().splitlines()]
