"""Plain text to another machine is warned of, once for each host, however it came to be; nothing else is."""

from __future__ import annotations

import pytest

from dal.pool import plain_text
from tests.faults.tls_server import Authority, is_encrypted, opened, speaking_tls


@pytest.mark.parametrize(
    ("address", "elsewhere"),
    [
        ("127.0.0.1", False),
        ("127.8.0.1", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("10.0.0.7", True),
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("fe80::1%eth0", True),
        ("::ffff:10.0.0.7", True),
    ],
)
def test_another_machine_is_told_by_its_address(address, elsewhere):
    assert plain_text.is_elsewhere(address) is elsewhere


@pytest.fixture
def far(monkeypatch):
    """Have loopback count as another machine, of which a test has none; nobody was warned yet."""
    monkeypatch.setattr(plain_text, "is_elsewhere", lambda _: True)
    monkeypatch.setattr(plain_text, "_WARNED", set())


def _warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if "sslmode=verify-full" in record.getMessage()]


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
@pytest.mark.usefixtures("far")
async def test_plain_text_to_another_machine_warns_once(direct_url, caplog, mode):
    async with speaking_tls(direct_url, None) as server:
        for _ in range(2):
            await is_encrypted(server.by(sslmode=mode))
    assert len(_warnings(caplog)) == 1
    assert _warnings(caplog)[0].startswith("what is said to localhost is not encrypted")


@pytest.mark.usefixtures("far")
async def test_each_host_is_warned_of(direct_url, caplog):
    async with speaking_tls(direct_url, None) as server:
        await is_encrypted(server.by("localhost"))
        await is_encrypted(server.by("127.0.0.1"))
    assert len(_warnings(caplog)) == 2


@pytest.mark.usefixtures("far")
async def test_tls_to_another_machine_warns_of_nothing(direct_url, tmp_path, caplog):
    async with speaking_tls(direct_url, Authority(tmp_path).server("localhost")) as server:
        await is_encrypted(server.by())
    assert _warnings(caplog) == []


async def test_plain_text_on_this_machine_warns_of_nothing(direct_url, caplog, monkeypatch):
    monkeypatch.setattr(plain_text, "_WARNED", set())
    async with speaking_tls(direct_url, None) as server:
        await is_encrypted(server.by())
    async with opened(direct_url):
        pass
    assert _warnings(caplog) == []
