"""A part of what is attacked: a function of bytes that raises where something was found."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FINDINGS: Final = Path(__file__).parent / "findings"


class Found(AssertionError):  # what it is called in the reports
    """A promise that an input has broken."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something pure: `check` raises for a finding, `share` is its part of all inputs, `seeds` are where they begin."""

    name: str
    check: Callable[[bytes], None]
    share: int
    seeds: Sequence[bytes] = ()


def saved(name: str) -> list[Path]:
    """List the inputs of a part by which something was found once."""
    return sorted((FINDINGS / name).glob("*.bin"))


def save(name: str, data: bytes) -> Path:
    """Keep an input, so that the suite replays it from now on."""
    path = FINDINGS / name / f"{hashlib.sha256(data).hexdigest()[:16]}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def known(error: BaseException, allowed: Iterable[type[BaseException]]) -> bool:
    """Tell whether an error is one that is documented. One of a codec is none, although it is a ValueError."""
    return isinstance(error, tuple(allowed)) and not isinstance(error, UnicodeError)
