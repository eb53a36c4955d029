"""The suite looks for the server's password in whatever it prints and writes: this is how that is seen to fail."""

import secrets
from pathlib import Path

import pytest

from tests.inner_runs import ALONE, AUTO, CONFTEST, NO_CACHE, inner, inner_files, part_of, project

ROOT = Path(__file__).parents[2]
WATCHED = f"""
import sys

sys.path.insert(0, {str(ROOT)!r})
pytest_plugins = ["tests.secret_watch"]
"""
SHOWN = "the server's password is in: {}"


@pytest.fixture(scope="module")
def run(request, tmp_path_factory, pg_server):
    """Run all inner tests once, on a server whose password nobody else looks for."""
    made_up = str(pg_server.password).startswith("pw-")
    server = pg_server.set(password=f"inner-{secrets.token_hex(12)}") if made_up else pg_server
    made = project(
        tmp_path_factory.mktemp("watched"),
        server,
        {"conftest.py": WATCHED + CONFTEST, **inner_files(vars(request.module).values())},
    )
    return made.run(*ALONE, *NO_CACHE, *AUTO, "-W", "default::UserWarning", "-rA")


def _shown(run, test) -> str:
    assert {report.outcome for report in part_of(run, test).reports if report.when != "call"} == {"passed"}
    (report,) = [report for report in part_of(run, test).reports if report.when == "call"]
    assert report.outcome == "failed"
    return report.text


@inner("""
def test_it(pg_server):
    print("connected to", pg_server.password)
""")
def test_a_password_that_is_printed_is_found(run):
    assert _shown(run, test_a_password_that_is_printed_is_found) == SHOWN.format("Captured stdout call")


@inner("""
def test_it(pg_server):
    os.write(2, f"connected to {pg_server.password}".encode())
""")
def test_a_password_that_a_library_writes_to_the_descriptor_is_found(run):
    shown = _shown(run, test_a_password_that_a_library_writes_to_the_descriptor_is_found)
    assert shown == SHOWN.format("Captured stderr call")


@inner("""
import logging

def test_it(pg_server):
    logging.getLogger("dal.pool").warning("connected to %s", pg_server.password)
""")
def test_a_password_that_is_logged_is_found(run):
    assert "Captured log call" in _shown(run, test_a_password_that_is_logged_is_found)


@inner("""
def test_it(pg_server):
    assert pg_server.password == "another"
""")
def test_a_password_in_the_reason_of_a_failure_is_found(run):
    assert _shown(run, test_a_password_in_the_reason_of_a_failure_is_found) == SHOWN.format("what it failed of")


@inner("""
import warnings

def test_it(pg_server):
    warnings.warn(f"connected to {pg_server.password}", UserWarning)
""")
def test_a_password_in_a_warning_is_found(run):
    (line,) = run.lines("the server's password is in a warning of ")
    assert line.endswith("test_a_password_in_a_warning_is_found.py::test_it")


@inner("""
def test_it(pg_server, tmp_path):
    (tmp_path / "rejects.csv").write_text(f"1,{pg_server.password}")
""")
def test_a_password_in_a_file_is_found(run):
    (line,) = run.lines("rejects.csv")
    assert "the server's password is in /" in line
    assert run.code == pytest.ExitCode.TESTS_FAILED


@inner("""
async def test_it(db, pg_server):
    assert len(pg_server.password) >= 8
    await put(db, "a")
    print(db, db.config, pg_server)
""")
def test_a_password_that_is_hidden_is_not_found(run):
    part_of(run, test_a_password_that_is_hidden_is_not_found).passed()


def test_the_suite_itself_is_looked_at(pg_server, pytestconfig):
    watch = pytestconfig.pluginmanager.get_plugin("tests.secret_watch")
    assert pg_server.password in watch.WATCH.passwords
