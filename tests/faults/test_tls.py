"""What libpq's `sslmode` promises of TLS holds, and what is refused says what to do.

The world is a server with a certificate, an authority that signed it, and one that did not.
"""

from __future__ import annotations

import shutil
import ssl

import pytest

from dal import DatabaseConfig
from dal.config import parse_url
from dal.errors import CannotConnect, ConfigError, ConnectionLost, InvalidAuthorization
from tests.faults.tls_server import Authority, context_of, is_encrypted, opened, speaking_tls
from tests.looking import backends, until

MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
# What each certificate is good for: the mode that is the strictest to take it.
CERTIFICATES = {"good": "verify-full", "of another name": "verify-ca", "expired": "require", "of another CA": "require"}


@pytest.fixture(autouse=True)
def _nothing_at_home(tmp_path, monkeypatch):
    """Keep away what this machine's user has in ~/.postgresql and in the environment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLCRL", "PGSSLNEGOTIATION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def authority(tmp_path) -> Authority:
    """Lend the authority that clients trust."""
    return Authority(tmp_path)


def _context(authority: Authority, tmp_path, certificate: str) -> ssl.SSLContext:
    if certificate == "of another CA":
        (tmp_path / "other").mkdir()
        return Authority(tmp_path / "other").server("localhost")
    return authority.server(
        "elsewhere.example" if certificate == "of another name" else "localhost", expired=certificate == "expired"
    )


async def _refusal(url, kind=CannotConnect) -> str:
    with pytest.raises(kind) as caught:
        async with opened(url):
            pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("mode", MODES)
async def test_a_server_without_tls_is_taken_up_to_prefer(direct_url, authority, mode):
    async with speaking_tls(direct_url, None) as server:
        url = server.by(sslmode=mode, sslrootcert=authority.root)
        if MODES.index(mode) <= MODES.index("prefer"):
            assert not await is_encrypted(url)
        else:
            message = await _refusal(url)
            assert message.endswith("Has the server ssl = on? sslmode=prefer and sslmode=disable go without.")


@pytest.mark.parametrize("certificate", CERTIFICATES)
@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_a_certificate_is_taken_up_to_its_mode(direct_url, authority, tmp_path, mode, certificate):
    async with speaking_tls(direct_url, _context(authority, tmp_path, certificate)) as server:
        root = {} if mode == "require" else {"sslrootcert": authority.root}  # with one, require is verify-ca
        url = server.by(sslmode=mode, **root)
        if MODES.index(mode) <= MODES.index(CERTIFICATES[certificate]):
            assert await is_encrypted(url)
        else:
            assert "the server's certificate is refused: " in await _refusal(url)
            assert server.encrypted == []


@pytest.mark.parametrize(("mode", "encrypted"), [("disable", False), ("allow", False), ("prefer", True)])
async def test_the_modes_that_demand_nothing_differ_in_what_they_try_first(direct_url, authority, mode, encrypted):
    async with speaking_tls(direct_url, authority.server("elsewhere.example", expired=True)) as server:
        assert await is_encrypted(server.by(sslmode=mode)) is encrypted


async def test_without_any_option_it_is_prefer(direct_url, authority):
    async with speaking_tls(direct_url, authority.server("localhost")) as server:
        assert await is_encrypted(server.by())


async def test_require_with_a_root_certificate_is_verify_ca(direct_url, authority, tmp_path):
    async with speaking_tls(direct_url, _context(authority, tmp_path, "of another CA")) as server:
        assert "certificate is refused" in await _refusal(server.by(sslmode="require", sslrootcert=authority.root))


@pytest.mark.parametrize(
    ("certificate", "advice"),
    [
        ("of another name", "Connect by a name that the certificate has, or have one issued for this name."),
        ("expired", "Renew the server's certificate."),
        ("of another CA", "Give the certificate of the CA that signed it as sslrootcert."),
    ],
)
async def test_a_certificate_that_is_refused_says_what_to_do(direct_url, authority, tmp_path, certificate, advice):
    async with speaking_tls(direct_url, _context(authority, tmp_path, certificate)) as server:
        url = server.by(sslmode="verify-full", sslrootcert=authority.root)
        message = await _refusal(url)
    assert message.startswith(f"cannot connect to {DatabaseConfig.from_url(url).where}: the server's certificate is ")
    assert message.endswith(advice)


async def test_an_address_is_looked_for_in_the_certificate_too(direct_url, authority):
    async with speaking_tls(direct_url, authority.server("localhost", "127.0.0.1")) as server:
        assert await is_encrypted(server.by("127.0.0.1", sslmode="verify-full", sslrootcert=authority.root))


async def test_an_address_that_is_not_in_the_certificate_is_refused(direct_url, authority):
    async with speaking_tls(direct_url, authority.server("localhost")) as server:
        message = await _refusal(server.by("127.0.0.1", sslmode="verify-full", sslrootcert=authority.root))
    assert "IP address mismatch" in message


async def test_a_client_shows_its_certificate(direct_url, authority):
    context = authority.server("localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    async with speaking_tls(direct_url, context) as server:
        url = server.by(sslmode="verify-full", sslrootcert=authority.root, **authority.client("app"))
        assert await is_encrypted(url)


async def test_a_client_without_the_certificate_that_is_asked_for_is_told(direct_url, authority):
    context = authority.server("localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    async with speaking_tls(direct_url, context) as server:
        message = await _refusal(server.by(sslmode="verify-full", sslrootcert=authority.root))
    assert "sslcert" in message


async def test_a_key_of_another_certificate_is_refused(direct_url, authority):
    async with speaking_tls(direct_url, authority.server("localhost")) as server:
        files = {"sslcert": authority.client("app")["sslcert"], "sslkey": authority.client("other")["sslkey"]}
        message = await _refusal(server.by(sslmode="require", **files))
    assert "TLS failed: key values mismatch" in message


async def test_a_revoked_certificate_is_refused(direct_url, authority):
    leaf = authority.leaf("localhost")
    async with speaking_tls(direct_url, context_of(leaf)) as server:
        options = {"sslmode": "verify-full", "sslrootcert": authority.root}
        assert "revoked" in await _refusal(server.by(**options, sslcrl=authority.revoked(leaf)))
        assert await is_encrypted(server.by(**options, sslcrl=authority.revoked(authority.leaf("other.example"))))


async def test_tls_from_the_first_byte(direct_url, authority):
    async with speaking_tls(direct_url, authority.server("localhost"), direct=True) as server:
        options = {"sslmode": "verify-full", "sslrootcert": authority.root, "sslnegotiation": "direct"}
        assert await is_encrypted(server.by(**options))


async def test_the_lowest_version_of_tls_is_chosen_by_the_client(direct_url, authority):
    context = authority.server("localhost")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with speaking_tls(direct_url, context) as server:
        assert await is_encrypted(server.by(sslmode="require"))
        message = await _refusal(server.by(sslmode="require", ssl_min_protocol_version="TLSv1.3"))
    assert "a TLS version in common" in message


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslkey", "sslcrl"])
async def test_a_file_that_is_not_there_is_named(direct_url, authority, name):
    async with speaking_tls(direct_url, authority.server("localhost")) as server:
        message = await _refusal(server.by(sslmode="require", **{name: "/nowhere/x.pem"}), ConfigError)
    assert message == f"{name} is '/nowhere/x.pem', which is no file that can be read: give the path of one in PEM."


async def test_verifying_without_a_root_certificate_says_which_to_give(direct_url, authority):
    async with speaking_tls(direct_url, authority.server("localhost")) as server:
        message = await _refusal(server.by(sslmode="verify-full"), ConfigError)
    assert "root.crt" in message


async def test_a_root_certificate_at_home_is_found(direct_url, authority, tmp_path):
    (tmp_path / ".postgresql").mkdir()
    shutil.copy(authority.root, tmp_path / ".postgresql" / "root.crt")
    async with speaking_tls(direct_url, authority.server("localhost")) as server:
        assert await is_encrypted(server.by(sslmode="verify-full"))


async def test_the_environment_chooses_where_the_url_does_not(direct_url, authority, monkeypatch):
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", authority.root)
    async with speaking_tls(direct_url, authority.server("elsewhere.example")) as server:
        assert "certificate is refused" in await _refusal(server.by())
        assert await is_encrypted(server.by(sslmode="require", sslrootcert=authority.root))
        assert not await is_encrypted(server.by(sslmode="disable"))


async def test_the_authorities_of_the_machine_know_no_private_one(direct_url, authority):
    async with speaking_tls(direct_url, authority.server("localhost")) as server:
        assert "certificate is refused" in await _refusal(server.by(sslrootcert="system"))


async def test_the_authorities_of_the_machine_are_asked_about_the_name(direct_url, authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", authority.root)  # where OpenSSL is told which they are
    async with speaking_tls(direct_url, authority.server("localhost")) as server:
        assert await is_encrypted(server.by(sslrootcert="system"))
        assert "certificate is refused" in await _refusal(server.by("127.0.0.1", sslrootcert="system"))


async def test_a_statement_is_cancelled_through_tls(direct_url, authority, outside):
    async with speaking_tls(direct_url, authority.server("localhost")) as server:
        url = server.by(sslmode="verify-full", sslrootcert=authority.root)
        async with opened(url) as db, db.checkout() as driver:
            with pytest.raises(TimeoutError):
                await driver.execute("SELECT pg_sleep(60)", timeout=0.05)
            assert await driver.fetchval("SELECT 1") == 1
        assert len(server.encrypted) == 2
        assert "pg_sleep" not in str(await backends(outside))


async def test_what_the_server_says_at_last_is_heard_through_tls(direct_url, authority, outside):
    async with speaking_tls(direct_url, authority.server("localhost")) as server:
        url = server.by(sslmode="verify-full", sslrootcert=authority.root)
        async with opened(url) as db:
            with pytest.raises(ConnectionLost, match="57P01"):
                async with db.checkout() as driver:
                    await outside.execute("SELECT pg_terminate_backend($1)", driver.get_server_pid())
                    await until(driver.is_closed)
                    await driver.fetchval("SELECT 1")


async def test_a_role_that_is_refused_is_told_from_tls_that_failed(direct_url, authority):
    async with speaking_tls(direct_url, authority.server("localhost")) as server:
        url = server.by(sslmode="verify-full", sslrootcert=authority.root).set(username="nobody_there")
        await _refusal(url, InvalidAuthorization)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("sslmode=verify_full", "sslmode='verify_full'; it is one of .* Did you mean 'verify-full'"),
        ("ssl=true", "sslmode='true'; it is one of disable, allow"),
        ("sslmode=require&sslmode=disable", "sslmode="),
        ("sslnegotiation=direct", "sslnegotiation=direct needs sslmode=verify-full"),
        ("sslnegotiation=never&sslmode=require", "sslnegotiation='never'"),
        ("sslrootcert=system&sslmode=require", "sslrootcert=system needs sslmode=verify-full"),
        ("sslrootcert=system&sslcert=a.crt", "sslrootcert=system goes with no sslcert"),
        ("ssl_min_protocol_version=1.3", "ssl_min_protocol_version='1.3'; it is one of .*TLSv1.3"),
        ("sslpassword=s3cret", "'sslpassword' that dal does not know"),
    ],
)
def test_an_option_that_means_nothing_is_refused_before_anything_is_sent(options, words):
    with pytest.raises(ConfigError, match=words) as caught:
        parse_url(f"postgresql://db/shop?{options}")
    assert "s3cret" not in str(caught.value)


def test_a_checked_url_is_checked_again_without_a_change():
    url = parse_url("postgresql://db/shop?sslrootcert=system")
    assert parse_url(url) == url
    assert url.query == {"ssl": "verify-full", "sslrootcert": "system"}
