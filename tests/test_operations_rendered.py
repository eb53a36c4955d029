"""Operations as Alembic generates them: written, reversed, and run up, down and up again."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import render_python_code
from alembic.operations.ops import DowngradeOps, UpgradeOps

from dal.migrations.operations.check import AddCheckNotValidOp
from dal.migrations.operations.create_index import CreateIndexConcurrentlyOp
from dal.migrations.operations.enum_add import AddEnumValueOp
from dal.migrations.operations.enum_rename import RenameEnumValueOp
from dal.migrations.operations.foreign_key import AddForeignKeyNotValidOp
from dal.migrations.operations.not_null import SetNotNullSafelyOp
from dal.migrations.operations.validate import ValidateConstraintOp

INDEX = CreateIndexConcurrentlyOp(
    "ix_item_note",
    "item",
    ["name", sa.text("lower(note)")],
    schema="public",
    unique=True,
    postgresql_include=["touched"],
)


@pytest.mark.parametrize(
    ("operation", "written", "reversed_"),
    [
        (
            INDEX,
            "op.create_index_concurrently('ix_item_note', 'item', ['name', sa.literal_column('lower(note)')], "
            "unique=True, schema='public', postgresql_include=['touched'])",
            "op.drop_index_concurrently('ix_item_note', 'item', schema='public')",
        ),
        (
            AddForeignKeyNotValidOp("fk", "item", "item", ["touched"], ["id"], ondelete="CASCADE"),
            "op.add_foreign_key_not_valid('fk', 'item', 'item', ['touched'], ['id'], ondelete='CASCADE')",
            "op.drop_constraint('fk', 'item', type_='foreignkey')",
        ),
        (
            AddCheckNotValidOp("ck", "item", "touched >= 0", schema="public"),
            "op.add_check_not_valid('ck', 'item', 'touched >= 0', schema='public')",
            "op.drop_constraint('ck', 'item', schema='public', type_='check')",
        ),
        (
            SetNotNullSafelyOp("item", "name", "public"),
            "op.set_not_null_safely('item', 'name', schema='public')",
            "op.alter_column('item', 'name', nullable=True, schema='public')",
        ),
        (
            AddEnumValueOp("mood", "calm", after="sad"),
            "op.add_enum_value('mood', 'calm', after='sad')",
            "op.check_enum_value_unused('mood', 'calm')",
        ),
        (
            RenameEnumValueOp("mood", "sad", "blue", "public"),
            "op.rename_enum_value('mood', 'sad', 'blue', schema='public')",
            "op.rename_enum_value('mood', 'blue', 'sad', schema='public')",
        ),
    ],
    ids=lambda one: type(one).__name__ if not isinstance(one, str) else "",
)
async def test_what_is_written_runs_up_down_and_up_again(world, operation, written, reversed_):
    await world.outside.execute("CREATE TYPE mood AS ENUM ('sad')")
    up, down = UpgradeOps(ops=[operation]), DowngradeOps(ops=[])
    up.reverse_into(down)
    assert (_lines(up), _lines(down)) == (written, reversed_)
    world.add(_lines(up), _lines(down))
    await world.up_down_up()
    assert await world.at() == "0001"


def test_a_dropped_index_is_created_concurrently_again():
    assert _lines(UpgradeOps(ops=[INDEX.reverse().reverse()])) == _lines(UpgradeOps(ops=[INDEX]))


def test_a_validation_is_written():
    written = _lines(UpgradeOps(ops=[ValidateConstraintOp("ck", "item")]))
    assert written == "op.validate_constraint('ck', 'item')"


def _lines(operations):
    code = render_python_code(operations)
    return " ".join(line.strip() for line in code.splitlines() if not line.strip().startswith("#"))
