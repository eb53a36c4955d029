"""What the lint makes of revisions that hang together, that cannot be rendered, and that are not asked about."""

import logging
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from dal.errors import ConfigError, MigrationError, MissingExtra
from dal.migrations.lint import lint
from tests.conftest import INI
from tests.lint_project import FIRST, Project

INDEX = 'op.create_index("ix_{0}", "{0}", ["a"])'
INDEX_FOUND = "require-concurrent-index-creation"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_the_demos_migrations_are_safe():
    assert lint(INI) == []


def test_a_project_without_revisions_has_nothing_to_find(project):
    assert project.found() == []


def test_revisions_are_judged_in_the_order_in_which_they_are_run(project):
    project.revision("b", INDEX.format("t"))
    project.revision("a", INDEX.format("t"), down="b")
    assert [revision for revision, _, _ in project.found()] == ["b", "a"]


def test_a_merge_and_its_branches_are_judged(project):
    project.revision("one", INDEX.format("t"))
    project.revision("two", INDEX.format("u"))
    project.revision("merge", down=("one", "two"))
    project.revision("after", INDEX.format("v"), down="merge")
    assert {revision for revision, _, _ in project.found()} == {"one", "two", "after"}


def test_since_leaves_out_what_is_before_it(project):
    project.revision("before", INDEX.format("t"))
    project.revision("at", INDEX.format("t"), down="before")
    project.revision("beside", INDEX.format("t"), down="before")
    project.revision("after", INDEX.format("t"), down="at")
    assert {revision for revision, _, _ in project.found(since="at")} == {"beside", "after"}


def test_since_leaves_out_what_it_depends_on(project):
    project.revision("needed", INDEX.format("t"))
    project.revision("at", INDEX.format("t"), depends_on="needed")
    project.revision("after", INDEX.format("t"), down="at")
    assert [revision for revision, _, _ in project.found(since="at")] == ["after"]


def test_since_base_leaves_out_nothing(project):
    project.revision("first", INDEX.format("t"))
    assert project.found(since="base") == project.found() != []


def test_since_is_taken_from_the_ini(project):
    project.say("lint_since = first")
    project.revision("first", INDEX.format("t"))
    assert project.found() == []


def test_since_what_is_not_there_is_one_line(project):
    with pytest.raises(MigrationError, match=r"^cannot lint since 'nowhere': .*'nowhere'$"):
        project.found(since="nowhere")


@pytest.mark.filterwarnings("ignore:Revision nowhere")  # Alembic says it twice
def test_a_revision_that_follows_nothing_is_one_line(project):
    project.revision("first", down="nowhere")
    with pytest.raises(MigrationError, match=r"^the revisions cannot be read: one follows 'nowhere'"):
        project.found()


def test_a_project_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"^there is no .*alembic.ini"):
        lint(tmp_path / "alembic.ini")


def test_what_cannot_be_rendered_does_not_hide_the_others(project):
    project.revision("reads", 'key = "sesame"\nrow = op.get_bind().scalar(sa.text("SELECT 1")) + 1')
    project.revision("after", INDEX.format("t"), down="reads")
    assert project.found() == [("reads", FIRST + 1, "not-rendered"), ("after", FIRST, INDEX_FOUND)]


def test_a_revision_that_leaves_is_no_way_out(project):
    project.revision("leaves", "raise SystemExit(0)")
    project.revision("after", INDEX.format("t"), down="leaves")
    assert project.found() == [("leaves", FIRST, "not-rendered"), ("after", FIRST, INDEX_FOUND)]


def test_what_was_rendered_before_it_could_not_be_is_judged(project):
    project.revision("reads", f"{INDEX.format('t')}\nop.get_bind().scalar(sa.text('SELECT 1')) + 1")
    assert project.found() == [("reads", FIRST, INDEX_FOUND), ("reads", FIRST + 1, "not-rendered")]


def test_what_cannot_be_rendered_tells_no_value(project):
    project.revision("secret", 'raise ValueError("sesame")')
    [finding] = project.findings()
    assert finding.message == "This cannot be rendered without a database: ValueError."


def test_a_block_that_cannot_be_rendered_leaves_the_next_revision_in_a_transaction(project):
    project.revision("reads", "with op.get_context().autocommit_block():\n    raise ValueError")
    project.revision("after", 'op.execute("COMMIT")', down="reads")
    assert [rule for _, _, rule in project.found()] == ["not-rendered", "transaction-nesting"]


def test_rules_are_switched_off_and_on_in_the_ini(project):
    project.say(f"lint_exclude = {INDEX_FOUND}, not-atomic\nlint_include = prefer-text-field ban-add-column")
    project.revision("first", f"{INDEX.format('t')}\nop.add_column('t', sa.Column('x', sa.String(3)))")
    assert project.found() == [("first", FIRST + 1, "ban-add-column"), ("first", FIRST + 1, "prefer-text-field")]


def test_a_rule_that_is_none_is_one_line(project):
    project.say("lint_exclude = no-such-rule")
    project.revision("first", INDEX.format("t"))
    with pytest.raises(MigrationError, match=r"^squawk refused: .*no-such-rule.*\[dal\] of alembic.ini") as caught:
        project.found()
    assert "\n" not in str(caught.value)


def test_a_squawk_that_is_not_installed_is_one_line(project, monkeypatch):
    from importlib.metadata import PackageNotFoundError

    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("dal.migrations.lint.squawk.distribution", missing)
    project.revision("first", INDEX.format("t"))
    with pytest.raises(MissingExtra, match=r"^squawk-cli is not installed: pip install 'dal\[lint\]'$"):
        project.found()


def test_a_configuration_of_squawks_own_is_not_heard(project, monkeypatch):
    (project.folder / ".squawk.toml").write_text('excluded_paths = ["*.sql"]')
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr("tempfile.tempdir", str(project.folder))  # squawk looks in the folders above its own
    project.revision("first", INDEX.format("t"))
    assert project.found() == [("first", FIRST, INDEX_FOUND)]


def test_an_env_that_renders_nothing_is_one_line(project):
    (project.folder / "env.py").write_text("pass")
    project.revision("first", INDEX.format("t"))
    with pytest.raises(MigrationError, match=r"^env.py rendered nothing of 1 revisions, such as first: it has to run"):
        project.found()


def test_a_folder_named_from_here_is_as_good(project, monkeypatch):
    project.ini.write_text("[alembic]\nscript_location = .\n")
    monkeypatch.chdir(project.folder)
    project.revision("first", f"{INDEX.format('t')}  # dal: ignore[{INDEX_FOUND}] small\n{INDEX.format('u')}")
    found = lint(Path("alembic.ini"))
    assert [(each.line, each.rule) for each in found] == [(FIRST + 1, INDEX_FOUND)]


def test_models_that_are_given_are_those_that_are_asked(project):
    project.revision("first", 'op.drop_column("parent", "id")\nop.drop_column("other", "id")')
    metadata = MetaData()
    Table("other", metadata, Column("id", Integer))
    assert [each.line for each in lint(project.ini)] == [FIRST]
    assert [each.line for each in lint(project.ini, target_metadata=metadata)] == [FIRST + 1]


def test_each_of_two_columns_that_one_statement_drops_is_found(project):
    project.revision("first", 'op.execute("ALTER TABLE other DROP COLUMN id, DROP COLUMN name")')
    metadata = MetaData()
    Table("other", metadata, Column("id", Integer), Column("name", Integer))
    said = {each.message.partition("The models")[2] for each in lint(project.ini, target_metadata=metadata)}
    assert said == {" still have other.id.", " still have other.name."}


def test_without_models_squawk_has_the_last_word(project):
    env = (project.folder / "env.py").read_text()
    (project.folder / "env.py").write_text(env.replace("run_env(metadata)", "run_env(None)"))
    project.revision("first", 'op.drop_column("other", "id")')
    assert project.found() == [("first", FIRST, "ban-drop-column")]


def test_a_foreign_key_that_the_models_index_is_left_alone(project):
    project.revision(
        "first", "op.create_table('child', sa.Column('parent_id', sa.Integer, sa.ForeignKey('parent.id')))"
    )
    assert project.found() == []


def test_a_foreign_key_is_found_once_however_many_revisions_come_after_it(project):
    project.revision("first", "op.create_table('pet', sa.Column('parent_id', sa.Integer, sa.ForeignKey('parent.id')))")
    project.revision("second", "op.add_column('pet', sa.Column('name', sa.Text))", down="first")
    assert project.found() == [("first", FIRST, "foreign-key-without-index")]
    assert project.found(since="first") == []


def test_an_index_of_a_later_revision_serves_a_foreign_key(project):
    project.revision("first", "op.create_table('pet', sa.Column('parent_id', sa.Integer, sa.ForeignKey('parent.id')))")
    later = "op.execute('CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON pet (parent_id, name)')"
    project.revision("second", f"with op.get_context().autocommit_block():\n    {later}", down="first")
    assert project.found() == []


def test_a_foreign_key_of_a_table_dropped_later_is_left_alone(project):
    project.revision("first", "op.create_table('pet', sa.Column('parent_id', sa.Integer, sa.ForeignKey('parent.id')))")
    project.revision("second", "op.drop_table('pet')", down="first")
    assert project.found() == []


def test_a_foreign_key_that_the_models_no_longer_have_is_left_alone(project):
    project.revision("first", "op.create_table('parent', sa.Column('other_id', sa.Integer, sa.ForeignKey('other.id')))")
    assert project.found() == []


def test_a_setting_before_a_block_makes_no_revision_of_two_parts(project):
    block = "with op.get_context().autocommit_block():\n    op.execute('VACUUM t')"
    project.revision("first", f"op.execute('SET lock_timeout = 0')\n{block}")
    assert project.found() == []


def test_what_an_operation_of_dals_sends_is_not_squawks_to_judge(project, monkeypatch):
    """It stands in for an operation: what matters is the module whose line sends the statement."""
    module = ModuleType("dal.migrations.operations.example")
    exec("def build(op):\n    op.execute('CREATE INDEX ix ON t (a)')", vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    project.revision("first", f"from {module.__name__} import build\nbuild(op)\n{INDEX.format('t')}")
    assert project.found() == [("first", FIRST + 2, INDEX_FOUND)]


def test_the_lint_sets_up_no_logging(project, monkeypatch):
    project.ini.write_text(
        project.ini.read_text() + INI.read_text().partition("\n[loggers]")[2].join(["[loggers]", ""])
    )
    project.revision("first")
    logger = logging.getLogger("alembic")
    monkeypatch.setattr(logger, "level", logging.CRITICAL)
    assert project.found() == []
    assert logger.level == logging.CRITICAL


def test_two_hundred_revisions_take_less_than_ten_seconds(project):
    for number in range(200):
        body = f"op.create_table('t{number}', sa.Column('id', sa.BigInteger, primary_key=True))\n{INDEX.format('t')}"
        project.revision(f"r{number:03}", body, down=f"r{number - 1:03}" if number else None)
    start = time.monotonic()
    assert len(project.found()) == 200
    assert time.monotonic() - start < 10
