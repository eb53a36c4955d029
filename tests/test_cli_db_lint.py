"""`dal db lint`: lines or JSON of what is found, and exit codes."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dal.cli.db_lint import lint
from dal.errors import DALError
from tests.lint_project import FIRST, Project

INDEX = 'op.create_index("ix", "t", ["a"])'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


@pytest.fixture
def dal():
    app = typer.Typer()
    app.command()(lint)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_nothing_found_is_exit_code_0_and_no_line(project, dal):
    project.revision("first")
    done = dal()
    assert (done.exit_code, done.output) == (0, "")


def test_a_finding_is_a_line_with_what_to_do_below_it_and_exit_code_1(project, dal):
    project.revision("first", INDEX)
    done = dal()
    said, help_ = done.output.splitlines()
    assert done.exit_code == 1
    assert said == (
        f"versions/first.py:{FIRST}: require-concurrent-index-creation: "
        "During normal index creation, table updates are blocked, but reads are still allowed."
    )
    assert help_ == "    op.create_index_concurrently(...), in a revision of its own."


def test_nothing_found_as_json_is_an_empty_list(project, dal):
    assert json.loads(dal("--json").output) == []


def test_json_has_all_of_a_finding(project, dal):
    project.revision("first", INDEX)
    done = dal("--json")
    [found] = json.loads(done.output)
    assert (done.exit_code, found.pop("message")[:6], found) == (
        1,
        "During",
        {
            "revision": "first",
            "file": "versions/first.py",
            "line": FIRST,
            "rule": "require-concurrent-index-creation",
            "help": "op.create_index_concurrently(...), in a revision of its own.",
            "sql": "CREATE INDEX ix ON t (a);",
        },
    )


def test_what_is_named_cannot_steer_a_terminal(project, dal):
    project.revision("first", 'op.execute(f"CREATE TABLE \\"{chr(27)}[31m{\'x\' * 70}\\" ()")')
    done = dal()
    assert ("\x1b" in done.output, "\\x1b[31mxxx" in done.output) == (False, True)


def test_since_and_the_servers_version_are_heard(project, dal):
    project.revision("first", INDEX)
    project.revision(
        "second", 'with op.get_context().autocommit_block():\n    op.execute("VACUUM FULL t")', down="first"
    )
    older = dal("--since", "first").output
    assert ("prefer-repack" in older, "require-concurrent-index-creation" in older) == (False, False)
    assert "prefer-repack" in dal("--since", "first", "--pg-version", "19").output


@pytest.mark.parametrize("arguments", [["--ini", "no.ini"], ["--since", "nowhere"], ["--pg-version", "new"]])
def test_what_cannot_be_judged_is_an_error_of_dals(project, dal, arguments):
    """`dal` makes exit code 2 of it."""
    project.revision("first", INDEX)
    assert isinstance(dal(*arguments).exception, DALError)


def test_an_option_that_is_none_is_exit_code_2(project, dal):
    assert dal("--sinse", "x").exit_code == 2
