"""How a generated revision writes a call of an operation."""

from __future__ import annotations

from alembic.autogenerate.api import AutogenContext


def call(autogen: AutogenContext, name: str, *arguments: object, **options: object) -> str:
    """Write a call with those of its *options* that are given."""
    given = [f"{option}={value!r}" for option, value in options.items() if value is not None]
    return f"{autogen.opts['alembic_module_prefix']}{name}({', '.join([*map(repr, arguments), *given])})"


def renamed(rendered: str | list[str], name: str, new_name: str) -> str:
    """Take a call that Alembic has written for another operation."""
    return str(rendered).replace(f"{name}(", f"{new_name}(", 1)
