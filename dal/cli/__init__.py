"""The `dal` command. Needs the extra `cli`."""

from __future__ import annotations

import sys

from dal.cli.printing import printable
from dal.errors import DALError, extra_needed


def main() -> None:
    """Run the command line; an error of dal or of usage is one line and exit code 2, Ctrl-C is exit code 130."""
    try:
        with extra_needed("cli"):
            from dal.cli.commands import run
        code = run()
    except DALError as error:
        code = _fail(error)
    sys.exit(code)


def _fail(error: DALError) -> int:
    print(f"dal: {printable(str(error))}", file=sys.stderr)  # noqa: T201 # rich may be what is missing
    return 2
