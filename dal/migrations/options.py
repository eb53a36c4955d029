"""How migrations are run: where they are, and how long they wait for others.

Pure values, but for the file they are read from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import inf
from pathlib import Path
from typing import Final, TypedDict

from alembic.config import Config

from dal.errors import ConfigError

# The section of alembic.ini that is dal's.
SECTION: Final = "dal"
# For the server, no time is as long as it takes.
_LEAST_S: Final = 0.001
# And it counts milliseconds in 32 bits.
_MOST_S: Final = 2_147_483


class MigrationOptions(TypedDict, total=False):
    """What a call says otherwise than alembic.ini: its section `[dal]` may have the three times.

    A statement waits `lock_timeout_s` for a lock, 1.5 s unless told; then its revision is rolled back and tried again,
    for `give_up_after_s` in all, 600 s. One process migrates, and others wait `wait_s` for it, 600 s. `schema` is where
    the tables and the version table are. `on_revision` is told the number of each revision that has run, just before
    its COMMIT.
    """

    ini: Path
    schema: str | None
    lock_timeout_s: float
    give_up_after_s: float
    wait_s: float
    on_revision: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for locks, and for another migrator; in seconds."""

    # Longer than PostgreSQL's deadlock_timeout of 1 s, after which an autovacuum makes way for who waits.
    lock_timeout_s: float = 1.5
    give_up_after_s: float = 600.0
    wait_s: float = 600.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least, most = (_LEAST_S, _MOST_S) if field.name == "lock_timeout_s" else (0.0, inf)
            if not least <= value <= most:  # which nan is not, either
                raise ConfigError(f"{field.name}={value} is no time to wait: give seconds, such as {field.default}.")

    @classmethod
    def of(cls, config: Config, options: MigrationOptions) -> Patience:
        """Take what is said, and else what alembic.ini says."""
        return cls(**{field.name: _seconds(field.name, config, options) for field in fields(cls)})


def ini_of(options: MigrationOptions) -> Path:
    """Say where alembic.ini is."""
    return options.get("ini", Path("alembic.ini"))


def config_of(options: MigrationOptions) -> Config:
    """Open alembic.ini; raises `ConfigError` where there is none."""
    ini = ini_of(options)
    if not ini.is_file():
        raise ConfigError(f"there is no {ini}: give ini= the path of an alembic.ini, or write one by `dal db init`.")
    return Config(ini)


def _seconds(name: str, config: Config, options: MigrationOptions) -> float:
    given: object = options.get(name)
    if given is None and config.config_file_name is not None:
        given = config.file_config.get(SECTION, name, fallback=None)
    defaults = {field.name: field.default for field in fields(Patience)}
    try:
        return float(defaults[name] if given is None else str(given))  # type: ignore[arg-type] # each has a number
    except ValueError:
        raise ConfigError(f"{name} in section [{SECTION}] is {given!r}: give seconds, such as 1.5.") from None
