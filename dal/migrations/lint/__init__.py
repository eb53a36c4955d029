"""Judge what revisions would do to a live database, before they do it. Needs the extra `lint`."""

from dal.migrations.lint.finding import Finding
from dal.migrations.lint.linting import lint

__all__ = ["Finding", "lint"]
