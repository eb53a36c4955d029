"""TLS as libpq's options say it: what a URL may ask for, and how asyncpg is told.

asyncpg reads most of them from a DSN or from PG* variables only, never from arguments. Refuses: a mode of its own;
without any option it is libpq's `prefer`, which takes plain text from a server that has no TLS, or from whoever
pretends to be it.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from dal.errors import ConfigError

# asyncpg's argument for libpq's `sslmode`.
MODE: Final = "ssl"
_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_ENFORCED: Final = ("require", "verify-ca", "verify-full")
_STRICTEST: Final = "verify-full"
_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    MODE: _MODES,
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
    "ssl_max_protocol_version": ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
}
# libpq's word for the certificate authorities that the machine trusts.
_SYSTEM: Final = "system"

OPTIONS: Final = (*_FILES, *(name for name in _CHOICES if name != MODE))
"""The options of a URL that are about TLS, beside the mode; they are called as libpq calls them."""


def checked(options: dict[str, Any]) -> dict[str, Any]:
    """Give a URL's *options* as they are meant; raises `ConfigError` for what no server could be reached with."""
    for name, choices in _CHOICES.items():
        _demand_one_of(choices, name, options.get(name))
    if options.get("sslrootcert") == _SYSTEM:
        options = {MODE: _STRICTEST, **options}
        _demand_strictness(options)
    if options.get("sslnegotiation") == "direct" and options.get(MODE) not in _ENFORCED:
        raise ConfigError(f"sslnegotiation=direct needs sslmode={_STRICTEST}, or another of {', '.join(_ENFORCED)}.")
    return options


def driver_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give what asyncpg connects with, *options* of a URL among it; raises `ConfigError` for a file that is not there.

    Files are read at every connect, so that renewed certificates are taken up by new connections.
    """
    rest = {name: value for name, value in options.items() if name not in OPTIONS}
    told = {name: options[name] for name in OPTIONS if name in options}
    if told.get("sslrootcert") == _SYSTEM:
        return {**rest, MODE: True}
    if options.get(MODE) != "disable":
        for name in _FILES:
            _demand_readable(name, told.get(name) or os.environ.get(f"PG{name.upper()}"))
    return {**rest, "dsn": f"postgresql://?{urlencode(told)}"} if told else rest


def _demand_one_of(choices: tuple[str, ...], name: str, given: Any) -> None:
    if given is None or given in choices:
        return
    name = "sslmode" if name == MODE else name
    near = difflib.get_close_matches(str(given), choices, n=1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"the URL has {name}={given!r}; it is one of {', '.join(choices)}.{meant}")


def _demand_strictness(options: Mapping[str, Any]) -> None:
    """Refuse what anybody with a certificate of any authority could pass for."""
    others = [name for name in OPTIONS if name in options and name != "sslrootcert"]
    if options[MODE] != _STRICTEST:
        raise ConfigError(f"sslrootcert=system needs sslmode={_STRICTEST}: everybody has a certificate of those CAs.")
    if others:
        raise ConfigError(f"sslrootcert=system goes with no {others[0]}: give the file of the CA as sslrootcert.")


def _demand_readable(name: str, path: str | None) -> None:
    if path and not os.access(path, os.R_OK):
        raise ConfigError(f"{name} is {path!r}, which is no file that can be read: give the path of one in PEM.")
