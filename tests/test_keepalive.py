"""The kernel asks the server's for a sign of life while a task waits for an answer."""

import socket

from dal import Database, PoolConfig


async def test_a_connection_over_a_network_is_probed(database_url, faulty_network):
    async with Database(database_url, pool=PoolConfig(size=1)) as db, db.checkout() as driver:
        connected = driver._transport.get_extra_info("socket")
        assert connected.family in {socket.AF_INET, socket.AF_INET6}
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        probes = [
            connected.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
            if hasattr(socket, name)
        ]
        assert probes == [30, 10, 3][-len(probes) :]
