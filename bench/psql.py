"""The peer that every PostgreSQL comes with."""

from __future__ import annotations

import subprocess

from dal.testing import EmbeddedServer


def psql(server: EmbeddedServer, command: str) -> None:
    """Run one SQL or backslash *command* by the server's own psql, over its unix socket."""
    url = server.url
    where = [f"--host={server.socket_dir}", f"--port={server.port}", f"--username={url.username}"]
    program = server.binaries / "psql"
    subprocess.run([program, "--no-psqlrc", "--quiet", *where, "--command", command, str(url.database)], check=True)
