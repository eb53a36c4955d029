"""A real PostgreSQL for tests, demos and benchmarks."""

from dal.testing.embedded import EmbeddedServer
from dal.testing.server import server_url

__all__ = ["EmbeddedServer", "server_url"]
