"""Files and streams of text, read in blocks of bytes: unpacked, as UTF-8, and counted as they are stored.

Refuses: knowing what a record is.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

import pyarrow as pa

from dal.errors import CopyError

# Large enough that a block's fixed costs vanish. Tests lower it, so it is looked up where it is used.
BLOCK_BYTES = 1 << 20
# A record is held whole, so a quote that is never closed must end somewhere.
RECORD_BYTES = 1 << 26

# A path, "-" for the standard input, or a stream, which stays open.
Input: TypeAlias = Path | BinaryIO

_Read: TypeAlias = Callable[[int], bytes]

_BOM: Final = codecs.BOM_UTF8
_PACKED: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_HEAD_BYTES: Final = 4
# What follows are the names under which Python knows UTF-8; the byte-order mark is dropped from every encoding.
_UTF8: Final = ("utf-8", "utf-8-sig")
_ERRORS: Final = "dal.copy.text"


class TextFile:
    """A file while it is read; `end_bytes` is how much of it was, as it is stored."""

    def __init__(self, name: str, stored: _Stored, read: _Read) -> None:
        self.name = name
        self._stored = stored
        self._read = read
        head = self._take(len(_BOM))
        self._head = head.removeprefix(_BOM)

    @property
    def end_bytes(self) -> int:
        """How much was read of the files up to here."""
        return self._stored.count

    def more(self, kept: bytes, number: int) -> tuple[bytes, bool]:
        """Give *kept*, the begin of record *number*, and at least as much of what follows; and whether this is all.

        The last line ends with a newline then, even if the file does not.
        """
        if len(kept) > RECORD_BYTES:
            raise CopyError(
                f"record {number}, in {self.name}, is longer than {RECORD_BYTES:,} bytes: is a quote not closed in it?"
            )
        wanted = max(BLOCK_BYTES, len(kept))
        read, self._head = self._head + self._take(wanted - len(self._head)), b""
        data = kept + read
        if len(read) >= wanted:
            return data, False
        return data + b"\n" if data and not data.endswith(b"\n") else data, True

    def _take(self, size: int) -> bytes:
        """Read *size* bytes, fewer only at the end."""
        parts = list[bytes]()
        try:
            while size > 0 and (part := self._read(size)):
                parts.append(part)
                size -= len(part)
        except (OSError, pa.ArrowInvalid, UnicodeError) as error:
            raise _unreadable(self.name, error) from error
        return b"".join(parts)


def resolve(source: str | os.PathLike[str]) -> list[Path]:
    """Name the files that *source*, a file or a glob pattern, stands for, sorted; raises `CopyError` if there is none.

    `**` stands for any folders. A file whose name looks like a pattern is that file. "-" is the standard input.
    """
    path = Path(source)
    try:
        return _resolved(path)
    except OSError as error:
        raise CopyError(
            f"the file cannot be looked for: {error.strerror}. Its name has {len(str(path))} characters."
        ) from error


def _resolved(path: Path) -> list[Path]:
    if path.is_dir():
        raise CopyError(f"{path} is a folder: give a pattern such as {path / '*.csv'}.")
    if str(path) == "-" or path.exists():
        return [path]
    if not any(character in str(path) for character in "*?["):
        raise CopyError(f"there is no file {path}.")
    anchor = Path(path.anchor)
    try:
        found = sorted(one for one in anchor.glob(str(path.relative_to(anchor))) if one.is_file())
    except ValueError as error:
        raise CopyError(f"{path} is no pattern of files: {error}.") from error
    if not found:
        raise CopyError(f"no file is named like {path}.")
    return found


def suffix_of(path: Path) -> str:
    """Give the suffix that tells a file's format, in small letters, without that of its compression."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in (".gz", ".zst"):
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def sum_of_bytes(inputs: Sequence[Input]) -> int | None:
    """Sum the sizes of the files as they are stored; None if one is a stream."""
    paths = [one for one in inputs if isinstance(one, Path) and one.is_file()]
    return sum(path.stat().st_size for path in paths) if len(paths) == len(inputs) else None


@contextmanager
def open_text(source: Input, encoding: str, before_bytes: int = 0) -> Generator[TextFile]:
    """Open *source*, counting from *before_bytes*; gzip and zstd are known by their first bytes, whatever the name."""
    if not isinstance(source, Path):
        yield _text_file(str(getattr(source, "name", "the stream")), source, encoding, before_bytes)
    elif str(source) == "-":
        yield _text_file("the standard input", sys.stdin.buffer, encoding, before_bytes)
    else:
        with _opened(source) as stream:
            yield _text_file(str(source), stream, encoding, before_bytes)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise CopyError(f"there is no file {path}.") from error
    except OSError as error:
        raise CopyError(f"{path} cannot be opened: {error.strerror}.") from error


def _text_file(name: str, stream: BinaryIO, encoding: str, before_bytes: int) -> TextFile:
    stored = _Stored(name, stream, before_bytes)
    read = _unpacked(stored)
    is_utf8 = codecs.lookup(encoding).name in _UTF8
    return TextFile(name, stored, read if is_utf8 else _recoded(read, encoding))


class _Stored:
    """The bytes as they are stored, counted, of which the first can be looked at; pyarrow reads it as a file."""

    closed = False

    def __init__(self, name: str, stream: BinaryIO, before_bytes: int) -> None:
        self.count = before_bytes
        self._name = name
        self._stream = stream
        self._head = b""

    def head(self) -> bytes:
        while len(self._head) < _HEAD_BYTES and (part := self._next(_HEAD_BYTES - len(self._head))):
            self._head += part
        return self._head

    def read(self, size: int) -> bytes:
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        return self._next(size)

    def close(self) -> None:
        """Leave the stream open: who has opened it closes it."""

    def _next(self, size: int) -> bytes:
        try:
            part: Any = self._stream.read(size)
        except OSError as error:
            raise _unreadable(self._name, error) from error
        if not isinstance(part, bytes):
            raise CopyError(f"{self._name} gives {type(part).__name__}, no bytes: open it in binary mode, blocking.")
        self.count += len(part)
        return part


def _unreadable(name: str, error: Exception) -> CopyError:
    return CopyError(f"{name} cannot be read to its end: {(str(error) or type(error).__name__).splitlines()[0]}")


def _unpacked(stored: _Stored) -> _Read:
    head = stored.head()
    for magic, codec in _PACKED.items():
        if head.startswith(magic):
            read: _Read = pa.CompressedInputStream(pa.PythonFile(stored, mode="r"), codec).read
            return read
    return stored.read


def _recoded(read: _Read, encoding: str) -> _Read:
    """Decode what *read* gives; what is no text becomes bytes that are no UTF-8, for the parser to find."""
    decoder = codecs.getincrementaldecoder(encoding)(_ERRORS)
    at_end = False

    def recode(size: int) -> bytes:
        nonlocal at_end
        text = ""
        while not text and not at_end:
            data = read(size)
            at_end = not data
            text = decoder.decode(data, final=at_end)
        return text.encode("utf-8", "surrogatepass")

    return recode


def _as_surrogate(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error(_ERRORS, _as_surrogate)
