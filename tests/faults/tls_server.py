"""A PostgreSQL that speaks TLS: a door before the embedded server, whose wheel was built without.

Up to the handshake it says what PostgreSQL says (`S`, or TLS at once for `sslnegotiation=direct`), with certificates of
an authority that is made for the tests; what is decrypted goes to the real server. What a client sees is the same.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from sqlalchemy import URL

from dal import Database, PoolConfig
from dal.testing import wire
from tests.serving import serving

_STARTUP_BYTES: Final = 8
_A_DAY: Final = timedelta(days=1)
_POOL: Final = PoolConfig(size=1, min_idle=0, connect_timeout_s=5)


@dataclass(frozen=True)
class Authority:
    """A certificate authority, and the files that a URL may name."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    @cached_property
    def root(self) -> str:
        """The file for `sslrootcert`."""
        return self._written("root.crt", self.ca.cert_pem.bytes())

    def client(self, name: str) -> dict[str, str]:
        """Issue a certificate for a client: the options of a URL for it."""
        leaf = self.ca.issue_cert(common_name=name, organization_name=name)
        chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
        return {
            "sslcert": self._written(f"{name}.crt", chain),
            "sslkey": self._written(f"{name}.key", leaf.private_key_pem.bytes()),
        }

    def server(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """Issue a certificate for a server of *names*."""
        return context_of(self.leaf(*names, expired=expired))

    def leaf(self, *names: str, expired: bool = False) -> trustme.LeafCert:
        """Issue a certificate for *names*."""
        now = datetime.now(UTC)
        if not expired:
            return self.ca.issue_cert(*names)
        return self.ca.issue_cert(*names, not_before=now - 2 * _A_DAY, not_after=now - _A_DAY)

    def revoked(self, *leaves: trustme.LeafCert) -> str:
        """Write the file for `sslcrl`, with *leaves* in it."""
        certificate = x509.load_pem_x509_certificate(self.ca.cert_pem.bytes())
        key = serialization.load_pem_private_key(self.ca.private_key_pem.bytes(), None)
        now = datetime.now(UTC)
        crl = x509.CertificateRevocationListBuilder().issuer_name(certificate.subject)
        crl = crl.last_update(now - _A_DAY).next_update(now + _A_DAY)
        for leaf in leaves:
            number = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now - _A_DAY).build()
            crl = crl.add_revoked_certificate(entry)
        signed = crl.sign(key, hashes.SHA256())  # type: ignore[arg-type] # trustme's keys sign certificates
        return self._written("root.crl", signed.public_bytes(serialization.Encoding.PEM))

    def _written(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)


def context_of(leaf: trustme.LeafCert) -> ssl.SSLContext:
    """Make what a server needs to speak TLS with *leaf*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["postgresql"])
    leaf.configure_cert(context)
    return context


@dataclass(frozen=True)
class TLSServer:
    """Where the door is, and how many have come in by TLS."""

    url: URL
    encrypted: list[str] = field(default_factory=list)  # the version, for each that spoke it

    def by(self, host: str = "localhost", **options: str) -> URL:
        """Give the address, with libpq's *options*."""
        return self.url.set(host=host, query=options)


@asynccontextmanager
async def speaking_tls(
    target: URL, context: ssl.SSLContext | None, *, direct: bool = False
) -> AsyncGenerator[TLSServer]:
    """Lend a server that is *target*, and demands TLS of nobody; without *context* it has none to offer.

    With *direct* it expects TLS from the first byte.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _pass_on(lent, target, context, reader, writer)

    async with serving(serve, context if direct else None) as port:
        lent = TLSServer(target.set(host="localhost", port=port, query={}))
        yield lent


@asynccontextmanager
async def opened(url: URL) -> AsyncGenerator[Database]:
    """Lend a database at *url*."""
    async with Database(url, pool=_POOL) as db:
        yield db


async def is_encrypted(url: URL) -> bool:
    """Connect to *url* and tell whether by TLS."""
    async with opened(url) as db, db.checkout() as driver:
        assert await driver.fetchval("SELECT 1") == 1
        return driver._transport.get_extra_info("ssl_object") is not None


async def _pass_on(
    lent: TLSServer,
    target: URL,
    context: ssl.SSLContext | None,
    client: asyncio.StreamReader,
    to_client: asyncio.StreamWriter,
) -> None:
    startup = await client.readexactly(_STARTUP_BYTES)
    if int.from_bytes(startup[4:]) in wire.ENCRYPTIONS:
        startup = b""
        to_client.write(b"S" if context else b"N")
        if context is not None:
            await to_client.start_tls(context)
    if to_client.get_extra_info("ssl_object") is not None:
        lent.encrypted.append(to_client.get_extra_info("ssl_object").version())
    server, to_server = await _dial(target)
    to_server.write(startup)
    either = [asyncio.create_task(_forward(client, to_server)), asyncio.create_task(_forward(server, to_client))]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if to_client.transport.get_write_buffer_size():
            await to_client.drain()
    finally:
        for task in either:
            task.cancel()
        await asyncio.gather(*either, return_exceptions=True)
        to_server.transport.abort()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while said := await reader.read(1 << 16):
        writer.write(said)
        await writer.drain()


async def _dial(target: URL) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host = target.host or str(target.query.get("host", "localhost"))
    port = str(target.port or target.query.get("port", 5432))
    if host.startswith("/"):
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    return await asyncio.open_connection(host, port)
