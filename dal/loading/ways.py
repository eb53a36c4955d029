"""Which way lazy loads go: by SQLAlchemy's private strategies, or, with a release that has others, without them."""

try:
    from dal.loading.strategies import autoflush, criterion_of, limit_of, load_relationship, newest, runs_of, watch
except (ImportError, AttributeError):  # pragma: no cover # the contract test says so first
    from dal.loading.fallback import autoflush, criterion_of, limit_of, load_relationship, newest, runs_of, watch

__all__ = ["autoflush", "criterion_of", "limit_of", "load_relationship", "newest", "runs_of", "watch"]
