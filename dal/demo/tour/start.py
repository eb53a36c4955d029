"""Step 1: the schema, by Alembic, inside the running loop."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import text

from dal.demo.tour.place import Place
from dal.demo.tour.result import StepResult
from dal.migrations import check_at_head, upgrade

_DEMO: Final = Path(__file__).parent.parent
# In a checkout the migrations are at the top level; an installed dal carries them in dal/demo.
ALEMBIC_INI: Final = next(
    folder / "alembic.ini" for folder in (_DEMO, *_DEMO.parents) if (folder / "alembic.ini").exists()
)


_FOREIGN_KEYS: Final = text(
    "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
)


async def step(place: Place, result: StepResult) -> None:
    """Upgrade the empty schema to head, and ask the server what is there."""
    await upgrade(place.db, ini=ALEMBIC_INI)
    await check_at_head(place.db, ini=ALEMBIC_INI)
    async with place.db.reading() as session:
        tables = await session.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"))
        foreign_keys = await session.scalar(_FOREIGN_KEYS)
    result.show("created", f"{tables} tables, {foreign_keys} foreign keys")
    result.check("the schema is at Alembic's head", ok=True)
    result.check("eight tables of the shop and Alembic's own", ok=tables == 9)  # noqa: PLR2004 # as the check says
