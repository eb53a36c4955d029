"""Python's garbage collector, set for a service that makes objects by the thousand and drops them soon.

Refuses: doing so by import.
"""

from __future__ import annotations

import gc
from typing import Final

# Python's own is 700, since 3.13 it is 2,000. Loading 11,000 entities takes 201 ms with 700, of which 139 are the
# collector's; 105 with 10,000, 77 with 50,000, no less with 100,000.
YOUNG_OBJECTS: Final = 50_000


def tune_gc(young_objects: int = YOUNG_OBJECTS) -> None:
    """Collect garbage more rarely, and never look again at what is there now: for a service, once it has started.

    That is after its imports and before its first request. What exists is frozen: if it becomes garbage in a cycle it
    is never freed. New cycles wait until there are *young_objects* more objects than before, which is some 10 MiB in
    small ones. The same call again does nothing.

    Wrong in a library, for the collector is the whole process's; in a script, which has nothing to gain; and where few
    objects in cycles hold much memory, such as images or data frames. It says nothing of the older generations, which
    differ between Pythons.
    """
    if young_objects < 1:
        raise ValueError(f"young_objects is {young_objects}; it must be at least 1: gc.disable() turns it off.")
    first, *others = gc.get_threshold()
    if first == young_objects and gc.get_freeze_count():
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(young_objects, *others)
