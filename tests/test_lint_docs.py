"""docs/migrations_lint.md has each rule, as it is; squawk knows them; and those that are on are found in the corpus."""

import re
from pathlib import Path

import pytest

from dal.migrations.lint import lint, rules
from tests.lint_project import Project

ROOT = Path(__file__).parent.parent
DOCS = (ROOT / "docs" / "migrations_lint.md").read_text()
ROW = re.compile(r"^\| `([a-z-]+)` \| (.+) \|$", re.MULTILINE)
OURS, SQUAWKS, ASKED_FOR, OFF, OPT_IN = (dict(ROW.findall(table)) for table in DOCS.split("|---|---|\n")[1:])


def test_the_reasons_are_those_of_the_code():
    assert (ASKED_FOR, OFF, OPT_IN) == (rules.ON, rules.OFF, rules.OPT_IN)


def test_our_rules_are_all_there():
    assert set(OURS) == rules.OURS


def test_each_rule_that_is_on_is_found_in_the_corpus():
    found = {each.rule for each in lint(ROOT / "tests" / "lint_corpus" / "unsafe.ini", pg_version="19")}
    assert found == {*OURS, *SQUAWKS, *ASKED_FOR}


def test_each_rule_has_one_row():
    assert len(ROW.findall(DOCS)) == len({*OURS, *SQUAWKS, *ASKED_FOR, *OFF, *OPT_IN}) == 85


def test_squawk_knows_each_rule(tmp_path):
    project = Project(tmp_path)
    project.say(f"lint_exclude = {' '.join({*SQUAWKS, *ASKED_FOR, *OFF, *OPT_IN} - {'syntax-error'})}")
    project.revision("first", 'op.create_index("ix", "t", ["a"])')
    assert project.found() == []


@pytest.mark.parametrize("rule", [*rules.HELP, *rules.SAID_BY])
def test_help_is_for_rules_that_are_on(rule):
    assert rule in {**SQUAWKS, **ASKED_FOR}


def test_what_is_off_in_squawk_is_found_when_it_is_asked_for(tmp_path):
    project = Project(tmp_path)
    project.say(f"lint_include = {' '.join(OFF)}")
    project.revision("first", "op.create_table('t', sa.Column('id', sa.Integer, primary_key=True))")
    assert {"prefer-bigint-over-int", "prefer-identity"} <= {rule for _, _, rule in project.found()}
