"""Files of text as somebody else wrote them: each record is whole or broken, and what is no file is a `CopyError`."""

from __future__ import annotations

import encodings.aliases
import gzip
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

import pyarrow as pa

from dal.copy.records import Broken
from dal.copy.reject_form import _Delimited
from dal.copy.text import Csv, Ndjson, inputs, open_csv, open_ndjson
from dal.errors import CopyError
from tests.copy_texts import _together
from tests.faults.hostile.drawing import Draw
from tests.faults.hostile.part import Found, Part
from tests.faults.hostile.words import DIALECTS, FORMATS, INJECTIONS, JSON, NUMBERS

ENCODINGS: Final = sorted(
    {*encodings.aliases.aliases.values(), "utf-8", "idna", "punycode", "unicode_escape", "undefined"}
)
_HEADERS: Final[list[Any]] = [True, ["id"], ["id", "words"], ["a", "b", "c"]]
_BLOCKS: Final = (1, 3, 16, 64, 1 << 20, 1 << 20)


def check_dialect(data: bytes) -> None:
    """Say how a file is written, in any words and of any type."""
    draw = Draw(data)

    def given() -> Any:
        if draw.under(6) == 0:
            return draw.one_of(
                [None, True, False, 0, 1.5, b"x", [], ["a"], [1], {}, {"a": 1}, {1: "a"}, ("a", "a"), object]
            )
        return draw.text(DIALECTS)

    options: Any = {}
    for name in ("delimiter", "quote", "escape", "header", "null", "encoding", "dates"):
        if draw.under(3) == 0:
            options[name] = given()
    if draw.flag():
        options["dates"] = {draw.text(): draw.texts(2, DIALECTS) for _ in range(draw.under(3))}
    if draw.flag():
        options["header"] = draw.texts(4)
    if draw.flag():
        options["null"] = draw.texts(3)
    try:
        form = Csv(**options)
        _read(open_csv([BytesIO(b"a,b\n1,2\nNA,x\n")], form))
        Ndjson(form.dates)
    except CopyError:
        pass


def check_csv(data: bytes) -> None:
    """Read any bytes as CSV: in blocks of any size they are the same records."""
    draw = Draw(data)
    size = draw.one_of(_BLOCKS)
    try:
        form = _form(draw)
    except CopyError:
        return
    content = _content(draw)
    whole = _records(lambda: open_csv([BytesIO(content)], form))
    if size < 1 << 20:
        with _blocks_of(size):
            parts = _records(lambda: open_csv([BytesIO(content)], form))
        if isinstance(whole, dict) and isinstance(parts, dict) and whole != parts:
            raise Found(f"{content!r} as {form!r} is {whole!r}, and in blocks of {size} {parts!r}")


def check_ndjson(data: bytes) -> None:
    """Read any bytes as NDJSON."""
    draw = Draw(data)
    size, content = draw.one_of(_BLOCKS), _content(draw)
    with _blocks_of(size):
        _records(lambda: open_ndjson([BytesIO(content)]))


def check_rejected(data: bytes) -> None:
    """Write a record as one that was rejected, and read it: it is the record."""
    draw = Draw(data)
    try:
        form = _form(draw)
    except CopyError:
        return
    names = list(form.names or ("id", "words", "other"))
    texts = {name: draw.maybe(lambda: draw.raw(draw.under(20)).decode("utf-8", "replace")) for name in names}
    if any(text and "\0" in text for text in texts.values()) or (not form.nulls and None in texts.values()):
        return  # what no record of such a file has
    try:
        _encodable(form, [*names, *texts.values()])
    except UnicodeError:
        return
    written = _Delimited(form, names)
    content = written.begin() + written.record(Broken(1, "", texts))
    try:
        whole = _read(open_csv([BytesIO(content)], form))[0]
    except CopyError as error:
        raise Found(f"{texts!r} as {form!r} are written as {content!r}, which is not read again: {error}") from error
    if list(whole.values()) != [tuple(texts.values())]:
        raise Found(f"{texts!r} as {form!r} are written as {content!r}, and read as {whole!r}")


def _encodable(form: Csv, texts: Sequence[str | None]) -> None:
    """Raise `UnicodeError` where the form's encoding does not have the texts, or has them otherwise in a line."""
    if form.encoding not in ("utf-8", "latin_1", "cp1252", "utf_16_le", "shift_jis", "gb18030"):
        raise UnicodeError
    for text in filter(None, texts):
        if text.encode(form.encoding).decode(form.encoding) != text or "\ufeff" in text:
            raise UnicodeError


def _form(draw: Draw) -> Csv:
    if draw.flag():
        return Csv(header=["id", "words"] if draw.flag() else True)
    return Csv(
        delimiter=draw.one_of(",;\t|\x1ea"),
        quote=draw.one_of("\"'`|"),
        escape=draw.one_of([None, None, "\\", "'", "x"]),
        header=draw.one_of(_HEADERS),
        null=draw.one_of(["", "NA", ["", "NULL", "\\N"], []]),
        encoding="utf-8" if draw.flag() else draw.one_of(ENCODINGS),
    )


def _content(draw: Draw) -> bytes:
    content = draw.rest()
    match content[:1]:
        case b"\x01":
            return gzip.compress(content[1:], 1)
        case b"\x02":
            return gzip.compress(content[2:] * (content[1] if len(content) > 1 else 1), 1)
        case b"\x03":
            return gzip.compress(content[1:], 1)[: len(content) // 2 + 10]
        case b"\x04":
            return pa.compress(content[1:], "zstd", asbytes=True) if len(content) > 1 else content
        case _:
            return content


def _records(opening: Any) -> dict[int, Any] | None:
    """Give the records by number; None for a file that is none."""
    try:
        whole, broken = _read(opening())
    except CopyError:
        return None
    return whole | {number: (each.reason, each.line) for number, each in broken.items()}


def _read(opened: Any) -> tuple[dict[int, Any], dict[int, Broken]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of codecs, such as unicode_escape
        found: tuple[dict[int, Any], dict[int, Broken]] = _together(opened, None)
        return found


@contextmanager
def _blocks_of(size: int) -> Iterator[None]:
    before, inputs.BLOCK_BYTES = inputs.BLOCK_BYTES, size
    try:
        yield
    finally:
        inputs.BLOCK_BYTES = before


_LINES: Final = [each.encode("utf-8", "surrogatepass") for each in (*INJECTIONS, *FORMATS, *NUMBERS, *JSON)]
_CSV: Final = [
    b"\0" * 3 + b"id,words\n1,a\n", b"\x04\0\0id,words\r\n1,\"a\"\"b\"\r\n", b"\0\0\0id\n\xff\xfe\n",
    b"\0\0\0id,words\n1,\"x\n",
    b"\x04\1\xff;\"\\id;words\n1;\"a\\\"b\"\n", b"\0\0\0\xef\xbb\xbfid,words\n\0,b\n", b"\0\0\0id,id\n",
    b"\0\0\0\n\n\n", b"\0\0\0\r",
    *(b"\0\0\0id,words\n1," + each + b"\n" for each in _LINES[:60]),
]  # fmt: skip
_NDJSON: Final = [
    b"\4" + b'{"id": 1, "words": ' + each + b"}\n" for each in (b"1", b'"a"', b"[1]", b"{}", b"null", *_LINES)
]
PARTS: Final = [
    Part("csv dialect", check_dialect, 4),
    Part("csv", check_csv, 2, _CSV),
    Part("ndjson", check_ndjson, 3, _NDJSON),
    Part("reject file", check_rejected, 1),
]
