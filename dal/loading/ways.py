"""Which way lazy loads go: by SQLAlchemy's private strategies, or, with a release that has others, without them."""

try:
    from dal.loading.strategies import autoflush, limit_of, load_relationship, run_of, watch
except (ImportError, AttributeError):  # pragma: no cover # the contract test says so first
    from dal.loading.fallback import autoflush, limit_of, load_relationship, run_of, watch

__all__ = ["autoflush", "limit_of", "load_relationship", "run_of", "watch"]
