"""The pytest plugin, in runs of pytest of its own: which server the tests get, and what is said when there is none."""

import pytest

from tests.conftest import ROOT

pytest_plugins = ["pytester"]

SHOWS_ITS_SERVER = 'def test_it(pg_server): print(f\'on {pg_server.host}:{pg_server.query.get("host", "")}\')'


@pytest.fixture
def run(pytester, monkeypatch):
    """Run one test that shows its server."""
    pytester.makepyfile(SHOWS_ITS_SERVER)
    for variable in ("DAL_DATABASE_URL", "DAL_TEST_POSTGRES", "DAL_POSTGRES_IMAGE"):
        monkeypatch.delenv(variable, raising=False)

    def run(*arguments):
        return pytester.runpytest_subprocess("-s", "-p", "no:cacheprovider", "-W", "error", *ASYNCIO, *arguments)

    return run


# pytest-asyncio warns where it is not told.
ASYNCIO = ("-o", "asyncio_default_fixture_loop_scope=function")


def test_the_default_is_an_embedded_server(run):
    run().stdout.fnmatch_lines(["*on None:/*/dal-*"])


def test_the_option_wins_over_the_environment_and_the_ini_file(run, monkeypatch, pytester):
    pytester.makeini("[pytest]\ndal_postgres = postgresql://ini")
    monkeypatch.setenv("DAL_TEST_POSTGRES", "postgresql://environment")
    run("--postgres=postgresql://option").stdout.fnmatch_lines(["*on option:*"])


def test_the_environment_wins_over_the_ini_file(run, monkeypatch, pytester):
    pytester.makeini("[pytest]\ndal_postgres = postgresql://ini")
    monkeypatch.setenv("DAL_TEST_POSTGRES", "postgresql://environment")
    run().stdout.fnmatch_lines(["*on environment:*"])


def test_the_ini_file_names_a_server(run, pytester):
    pytester.makeini("[pytest]\ndal_postgres = postgresql://ini")
    run().stdout.fnmatch_lines(["*on ini:*"])


def test_without_docker_one_line_tells_the_way_out(run, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    # Docker's library forgets the socket on which nobody answered, which Python 3.13 tells.
    ended = run("--postgres=container", "-W", "ignore::pytest.PytestUnraisableExceptionWarning")
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in ended.outlines if "dal:" in line]
    assert len(lines) == 1
    assert "--postgres=embedded" in lines[0]


def test_a_url_that_is_none_is_one_line(run):
    ended = run("--postgres=nonsense")
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    ended.stdout.fnmatch_lines(["*dal: this is not a database URL; expected *"])


def test_a_run_without_the_fixture_starts_no_server(pytester, run, monkeypatch):
    pytester.makepyfile("def test_it(): pass")
    monkeypatch.setenv("DAL_CACHE_DIR", str(ROOT / "README.md" / "no folder"))
    run().assert_outcomes(passed=1)
