"""All parts that are pure."""

from __future__ import annotations

from typing import Final

from tests.faults.hostile import addresses, bookmarks, pure_texts, text_files, types_to_read
from tests.faults.hostile.part import Part

PURE: Final[dict[str, Part]] = {
    part.name: part for module in (addresses, bookmarks, text_files, pure_texts, types_to_read) for part in module.PARTS
}
