"""How much memory the process needs: what is resident once garbage is collected and free pages are given back."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

import psutil

_MIB: Final = 1 << 20


def settled_mib() -> float:
    """Collect, give back what is free, and look; some tens of milliseconds."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)
    return psutil.Process().memory_info().rss / _MIB
