"""Texts that are read without a server: SQL that is looked at, names of locks, arrays, values, the books of a load."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from dal.copy.out.literals import replaced
from dal.copy.parsing import look_of, parser_of
from dal.copy.rejects import _settled_bytes
from dal.copy.text.json_arrays import array_text
from dal.copy.text.json_lines import Unfit, fields_of
from dal.copy.values import MISFITS
from dal.errors import CopyError
from dal.locks import AdvisoryKey
from dal.migrations.lint.facts import dropped_name, facts, strings
from dal.telemetry.fingerprint import fingerprint
from tests.faults.hostile.drawing import Draw
from tests.faults.hostile.part import Found, Part, known
from tests.faults.hostile.words import JSON, MOMENTS, NUMBERS, SQL

_SECRET: Final = "pa55canary"
_TARGETS: Final = [
    pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.bool_(), pa.binary(16),
    pa.time64("us"), pa.date32(),
    pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.decimal128(15, 2), pa.decimal128(38, 10), pa.string(),
]  # fmt: skip
_NUMBERS: Final[list[Any]] = [0, 1, -1, 2**31, 2**63, -(2**63), 10**400, 1.5, True, None, b"x", float("nan")]
_ODD: Final[list[Any]] = [1, 0, -1, "1", None, 1.5, 10**30, True, [], {}]
_FORMATS: Final = [
    (),
    (),
    ("%d.%m.%Y",),
    ("%Y%m%d", "%d/%m/%y"),
    ("%j",),
    ("%",),
    ("%Q",),
    ("é%Y",),
    ("%Z%z",),
    ("",),
    ("%H:%M",),
]


def check_fingerprint(data: bytes) -> None:
    """Take any text for a statement; a literal in it is not in what is told of it."""
    draw = Draw(data)
    before, after = draw.text(SQL), draw.text(SQL)
    statement = before + _literal(draw) + after
    told = fingerprint(statement)
    if fingerprint(statement) != told:
        raise Found(f"{statement!r} has two fingerprints")
    alone = fingerprint(f"SELECT {_literal(draw)} FROM a WHERE b = {_literal(draw)}")
    if _SECRET in alone.text:
        raise Found(f"a literal is in the fingerprint {alone.text!r}")


def check_lint(data: bytes) -> None:
    """Take any text for the SQL of a migration."""
    draw = Draw(data)
    sql = " ".join(draw.text(SQL) for _ in range(1 + draw.under(5))) + draw.rest().decode("utf-8", "surrogateescape")
    for fact in facts(sql):
        if not all(isinstance(name, str) for name in (fact.table, *fact.names)):
            raise Found(f"{sql!r} has a fact without a name: {fact}")
    strings(sql)
    dropped_name(sql)


def check_lock_name(data: bytes) -> None:
    """Take anything for the name of a lock."""
    draw = Draw(data)
    number = draw.one_of(_NUMBERS)
    name: Any = draw.one_of([draw.text(), number, (number, 1), (1, number), (1, 2, 3), (), [1, 2], draw.text()])
    try:
        key = AdvisoryKey.of(name, shared=draw.flag())
    except (TypeError, ValueError) as error:
        if not known(error, [TypeError, ValueError]):
            raise
        return
    if not all(-(2**63) <= each < 2**63 for each in key.numbers):
        raise Found(f"{name!r} has the key {key}")


def check_array(data: bytes) -> None:
    """Take any text for a JSON array, and any line for an object."""
    draw = Draw(data)
    of_json = draw.flag()
    text = draw.text(JSON) if draw.flag() else draw.rest().decode("utf-8", "replace")
    array_text(text, of_json=of_json)
    try:
        fields = fields_of(text.strip(" \t\r\n"))
    except Unfit:
        return
    if any(each is not None and not isinstance(each, str) for each in fields.values()):
        raise Found(f"{text!r} has fields that are no texts: {fields}")


def check_value(data: bytes) -> None:
    """Take any texts for values of a type."""
    draw = Draw(data)
    target, formats = draw.one_of(_TARGETS), draw.one_of(_FORMATS)
    if formats and not (pa.types.is_date(target) or pa.types.is_timestamp(target)):
        formats = ()
    texts = [_valid(draw) for _ in range(1 + draw.under(4))]
    parse = parser_of(target, formats)
    if parse is None:
        return
    given = pa.array(texts, pa.string())
    try:
        made = parse(given)
    except MISFITS:
        return
    if len(made) != len(texts) or made.null_count != given.null_count or made.type != target:
        raise Found(f"{texts!r} become {made} of {target}")
    look_of(target)


def check_reasons(data: bytes) -> None:
    """Go on with a file of reasons that somebody else has written, or that was cut."""
    draw = Draw(data)
    if draw.flag():
        content = draw.rest()
    else:
        number = draw.one_of(_ODD)
        line = {"record": number, "end_bytes": draw.one_of(_ODD)}
        content = json.dumps(line).encode() + b"\n" + draw.rest()
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            sizes = _settled_bytes(Path(file.name), 1 + draw.under(5))
        except CopyError:
            return
    if not all(type(each) is int and each >= 0 for each in sizes) or sizes[1] > len(content):
        raise Found(f"{content!r} settles {sizes} bytes")


def check_literals(data: bytes) -> None:
    """Put literals into any statement: what is no parameter stays as it is."""
    draw = Draw(data)
    sql = "".join(
        draw.text([*SQL, "$1", "$2", "a$1", "'$1'", '"$1"', "$$ $1 $$", "E'\\'$1'"]) for _ in range(draw.under(6))
    )
    try:
        replaced(sql, ["'one'", "'two'"], is_escaping=draw.flag())
    except CopyError:
        pass
    except IndexError:
        if not _has_other_parameter(sql):
            raise


def _has_other_parameter(sql: str) -> bool:
    """The server has prepared the statement before: it has no other parameters than these."""
    return any(found not in ("1", "2") for found in re.findall(r"\$(\d+)", sql))


def _literal(draw: Draw) -> str:
    text = draw.text().replace("\0", "") + _SECRET + draw.text().replace("\0", "")
    match draw.under(4):
        case 0:
            return "'" + text.replace("'", "''") + "'"
        case 1:
            return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
        case 2:
            return f"$canary${text.replace('$canary$', '')}$canary$"
        case _:
            return "U&'" + text.replace("'", "''") + "'"


def _valid(draw: Draw) -> str | None:
    text = draw.maybe(lambda: draw.text((*NUMBERS, *MOMENTS, "t", "f", "true", "2024-01-01", "2024-01-01 10:00:00")))
    return None if text is None else text.encode("utf-8", "replace").decode()


PARTS: Final = [
    Part("fingerprint", check_fingerprint, 2, [each.encode() for each in SQL]),
    Part("lint", check_lint, 2, [b"\0\0" + each.encode() for each in SQL]),
    Part("lock name", check_lock_name, 16),
    Part("json array", check_array, 6, [b"\1\0" + each.encode("utf-8", "surrogatepass") for each in JSON]),
    Part("value", check_value, 2),
    Part("reasons", check_reasons, 4),
    Part("literals", check_literals, 14),
]  # fmt: skip
