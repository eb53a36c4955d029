"""Tables that have other names on a connection than in their mapping, which COPY does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from dal.errors import CopyError


async def refuse_translation(session: AsyncSession, options: Mapping[str, Any] | None = None) -> None:
    """Raise `CopyError` if the session's connection, or a statement's *options*, say so."""
    connection: Any = await session.connection()
    for each in (connection.sync_connection.get_execution_options(), options or {}):
        if each.get("schema_translate_map"):
            raise CopyError("COPY knows no schema_translate_map: take tables of the schema that is meant.")
