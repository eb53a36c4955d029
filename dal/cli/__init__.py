"""The `dal` command. Needs the extra `cli`."""

from __future__ import annotations

import sys

from dal.errors import DALError, extra_needed


def main() -> None:
    """Run the command line; an error of dal is one line and exit code 2, Ctrl-C is exit code 130."""
    try:
        with extra_needed("cli"):
            from dal.cli.commands import app
        app()
    except DALError as error:
        sys.exit(_fail(error))


def _fail(error: DALError) -> int:
    print(f"dal: {error}", file=sys.stderr)  # noqa: T201 # rich may be what is missing
    return 2
