"""Whether what is said to a server on another machine can be read by everybody in between.

Refuses: forbidding it; a network may be private, and only its owner knows.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final

import asyncpg

from dal.pool.driver import host_of, is_encrypted, peer_of
from dal.pool.ledger import logger

_WARNED: Final[set[str]] = set()


def warn_of_plain_text(driver: asyncpg.Connection) -> None:
    """Warn of a connection to another machine that is not encrypted, once for each host in the life of the process."""
    if (peer := peer_of(driver)) is None or is_encrypted(driver) or not is_elsewhere(peer):
        return
    if (host := host_of(driver)) not in _WARNED:
        _WARNED.add(host)
        logger.warning(plain_text_to(host))


def is_elsewhere(address: str) -> bool:
    """Tell whether an IP *address* is that of another machine, as far as it tells."""
    ip = ip_address(address.partition("%")[0])  # a zone, such as fe80::1%eth0
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return not (mapped or ip).is_loopback


def plain_text_to(host: str) -> str:
    """Say what is wrong with plain text to *host*, and what to write instead."""
    return (
        f"what is said to {host} is not encrypted: it can be read and changed on the way, and the server may be "
        "another one. Put sslmode=verify-full into the URL, and sslrootcert=... with the file of its CA."
    )
