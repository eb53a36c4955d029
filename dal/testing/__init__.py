"""A real PostgreSQL for tests, demos and benchmarks. Needs the extra `embedded`."""

from dal.errors import extra_needed

with extra_needed("embedded"):
    from dal.testing.embedded import EmbeddedServer, server_url

__all__ = ["EmbeddedServer", "server_url"]
