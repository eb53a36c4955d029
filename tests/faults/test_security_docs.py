"""SECURITY.md says what the tests hold: its tables are theirs, and what it names is there."""

import re
from pathlib import Path

import pytest

from tests.faults.test_rights import PARTS

ROOT = Path(__file__).parents[2]
SECURITY = (ROOT / "SECURITY.md").read_text()
LOCKED = sorted((ROOT / "requirements").glob("*.txt"))


def test_the_rights_that_are_listed_are_those_that_are_tested():
    listed = re.search(r"\| part \| on the table \| else \|\n\|[-|]+\n((?:\|.*\n)+)", SECURITY)
    assert listed is not None
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in listed[1].splitlines()]
    assert rows == [(part, rights, more) for part, (rights, more, _) in PARTS.items()]


def test_the_tests_that_are_named_are_there():
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", SECURITY))
    assert len(named) >= 8
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_it_is_found(page):
    assert "(SECURITY.md)" in (ROOT / page).read_text()


@pytest.mark.parametrize("locked", LOCKED, ids=lambda path: path.stem)
def test_every_package_is_pinned_by_version_and_hash(locked):
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", locked.read_text(), flags=re.MULTILINE).strip())
    assert len(entries) > 3
    loose = [
        entry.split()[0]
        for entry in entries
        if not re.match(r"[\w.\[\],-]+==\S+ ", entry) or "--hash=sha256:" not in entry
    ]
    assert loose == []


@pytest.mark.parametrize("locked", LOCKED, ids=lambda path: path.stem)
def test_no_lock_file_names_a_place(locked):
    assert re.findall(r"https?://|file:|--(?:extra-)?index-url|--find-links", locked.read_text()) == []


def test_packages_are_installed_by_their_hashes():
    installed = [line for line in (ROOT / "requirements" / "install").read_text().splitlines() if "pip install" in line]
    assert [line for line in installed if "--require-hashes" not in line and "--no-index" not in line] == []
