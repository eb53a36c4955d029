"""`# dal: ignore[rule] reason`: where it may stand, and what is wrong with one."""

from pathlib import Path

import pytest

from tests.lint_project import FIRST, Project

INDEX = "require-concurrent-index-creation"
OPERATION = 'op.create_index("ix", "t", ["a"])'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


WHERE = {
    "at its end": f"{OPERATION}  # dal: ignore[{INDEX}] small",
    "above it": f"# dal: ignore[{INDEX}] small\n{OPERATION}",
    "in the comment above it": f"# dal: ignore[{INDEX}] small\n# and never written to\n{OPERATION}",
    "with others": f"{OPERATION}  # dal: ignore[{INDEX}, ban-drop-table] small",
    "after other words": f"{OPERATION}  # type: ignore # dal: ignore[{INDEX}] small",
    "at the first of its lines": f'op.create_index(  # dal: ignore[{INDEX}] small\n    "ix", "t", ["a"]\n)',
    "at the last of its lines": f'op.create_index(\n    "ix", "t", ["a"]\n)  # dal: ignore[{INDEX}] small',
    "in a loop": f"for _ in range(2):\n    {OPERATION}  # dal: ignore[{INDEX}] small",
    "in a block": (
        "with op.get_context().autocommit_block():\n"
        f'    op.create_index("ix", "t", ["a"], if_not_exists=True)  # dal: ignore[{INDEX}] small'
    ),
    "in a batch": (
        f'with op.batch_alter_table("t") as t:\n    t.create_index("ix", ["a"])  # dal: ignore[{INDEX}] small'
    ),
}


@pytest.mark.parametrize("where", WHERE)
def test_an_ignore_is_heard(project, where):
    project.revision("first", WHERE[where])
    assert [rule for _, _, rule in project.found() if rule != "unused-ignore"] == []


NOT_HEARD = {
    "below it": f"{OPERATION}\n# dal: ignore[{INDEX}] small",
    "above an empty line": f"# dal: ignore[{INDEX}] small\n\n{OPERATION}",
    "at another operation": f'{OPERATION}\nop.execute("SELECT 1")  # dal: ignore[{INDEX}] small',
    "at the head of a loop": f"for _ in range(2):  # dal: ignore[{INDEX}] small\n    {OPERATION}",
    "of another rule": f"{OPERATION}  # dal: ignore[ban-drop-table] small",
}


@pytest.mark.parametrize("where", NOT_HEARD)
def test_an_ignore_elsewhere_is_not_heard_and_is_found_itself(project, where):
    project.revision("first", NOT_HEARD[where])
    assert {rule for _, _, rule in project.found()} == {INDEX, "unused-ignore"}


@pytest.mark.parametrize("words", ["", " ", " -", ":"])
def test_an_ignore_without_a_reason_is_found(project, words):
    project.revision("first", f"{OPERATION}  # dal: ignore[{INDEX}]{words}")
    [finding] = project.findings()
    assert (finding.line, finding.rule) == (FIRST, "bad-ignore")
    assert finding.help == f"# dal: ignore[{INDEX}] the reason"


@pytest.mark.parametrize("words", ["# dal: ignore", "# dal: ignore[] small", "# dal: ignore small"])
def test_an_ignore_of_everything_ignores_nothing(project, words):
    project.revision("first", f"{OPERATION}  {words}")
    assert [rule for _, _, rule in project.found()] == ["bad-ignore", INDEX]


def test_each_rule_of_an_ignore_has_to_be_of_use(project):
    project.revision("first", f"{OPERATION}  # dal: ignore[{INDEX}, ban-drop-table] small")
    [finding] = project.findings()
    assert (finding.rule, finding.message) == ("unused-ignore", "There is no 'ban-drop-table' here to ignore.")


def test_an_ignore_in_a_string_is_none(project):
    project.revision("first", f'op.execute("""SELECT 1\n-- # dal: ignore[{INDEX}] small\n""")\n{OPERATION}')
    assert [rule for _, _, rule in project.found()] == [INDEX]


@pytest.mark.parametrize("words", [f"squawk-ignore {INDEX}", "squawk-ignore-file", "squawk-ignore"])
def test_an_ignore_of_squawks_own_is_not_heard(project, words):
    project.revision("first", f'op.execute("-- {words}\\nCREATE INDEX ix ON t (a)")')
    assert [rule for _, _, rule in project.found()] == [INDEX]


def test_a_rule_that_is_switched_off_needs_no_ignore(project):
    project.say(f"lint_exclude = {INDEX}")
    project.revision("first", f"{OPERATION}  # dal: ignore[{INDEX}] small")
    assert [rule for _, _, rule in project.found()] == ["unused-ignore"]


def test_ignores_that_ignore_nothing_can_be_let_be(project):
    project.say("lint_exclude = unused-ignore")
    project.revision("first", f"# dal: ignore[{INDEX}] small\npass")
    assert project.found() == []
