"""A real PostgreSQL for tests, demos and benchmarks, and what tests demand of their statements."""

from dal.testing.assertions import assert_plan_has_no, assert_statements, assert_uses_index
from dal.testing.embedded import EmbeddedServer
from dal.testing.kit import Kit
from dal.testing.making import Factory
from dal.testing.network import Network
from dal.testing.schema import Schema
from dal.testing.server import server_url

__all__ = [
    "EmbeddedServer",
    "Factory",
    "Kit",
    "Network",
    "Schema",
    "assert_plan_has_no",
    "assert_statements",
    "assert_uses_index",
    "server_url",
]
