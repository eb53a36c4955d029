"""One transaction that many connections share: what they commit stays inside it, and is rolled back at the end."""

from dal.testing.sandbox.sandbox import Sandbox

__all__ = ["Sandbox"]
