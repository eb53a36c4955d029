"""Models that hid what they have from the lint."""

from __future__ import annotations

from sqlalchemy import ARRAY, CheckConstraint, Column, Enum, ForeignKey, Integer, MetaData, Table, TypeDecorator

from dal.migrations.lint import lint
from tests.lint_project import Project


class Moods(TypeDecorator[str]):
    impl = Enum("good", "bad", name="moods")
    cache_ok = True


metadata = MetaData()
Table("parent", metadata, Column("id", Integer, primary_key=True))
Table(
    "child",
    metadata,
    Column("parent_id", ForeignKey("parent.id"), key="parent"),
    Column("remark", Integer, key="note"),
    Column("colours", ARRAY(Enum("red", name="colour"))),
    Column("moods", ARRAY(Moods)),
    CheckConstraint("remark > 0"),
)


def _rules(tmp_path, *operations):
    tmp_path.mkdir(exist_ok=True)
    project = Project(tmp_path)
    project.revision("first", "\n".join(operations))
    return [each.rule for each in lint(project.ini, target_metadata=metadata)]


def test_a_column_that_a_model_knows_by_another_key_is_still_there(tmp_path):
    assert _rules(tmp_path, 'op.drop_column("child", "remark")') == ["ban-drop-column"]


def test_so_is_a_foreign_key_of_such_a_column(tmp_path):
    add = 'op.execute("ALTER TABLE child ADD FOREIGN KEY (parent_id) REFERENCES parent NOT VALID")'
    assert _rules(tmp_path, add) == ["foreign-key-without-index"]
    drop = 'op.drop_constraint("child_parent_id_fkey", "child")'
    assert _rules(tmp_path / "other", drop) == ["ban-drop-constraint"]


def test_an_enum_type_of_an_array_or_behind_a_decorator_is_still_there(tmp_path):
    assert _rules(tmp_path, 'op.execute("DROP TYPE colour")', 'op.execute("DROP TYPE moods")') == ["ban-drop-type"] * 2
