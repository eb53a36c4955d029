"""Where data goes to: a file that is there whole or not at all, or a stream that somebody has opened.

Refuses: knowing formats.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias
from uuid import uuid4

import pyarrow as pa

from dal.errors import CopyError

Target: TypeAlias = str | os.PathLike[str] | BinaryIO

COMPRESSIONS: Final = {".gz": "gzip", ".zst": "zstd"}


class Counted(io.RawIOBase):
    """Passes everything on to *stream*, which stays open, and counts it; nothing once it is `stopped`."""

    def __init__(self, stream: BinaryIO) -> None:
        self.bytes = 0
        # What is written after a failure is the end that a format gives a file: it would look whole.
        self.stopped = False
        self._stream = stream

    def writable(self) -> bool:
        """Tell that it is."""
        return True

    def write(self, data: object) -> int:
        """Write all of *data*, also where the stream takes a part at a time."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type] # bytes, or a buffer of Arrow's
        if self.stopped:
            return view.nbytes
        self.bytes += view.nbytes
        rest = view
        while rest.nbytes:
            rest = rest[self._stream.write(rest) :]
        return view.nbytes

    def sync(self) -> None:
        """Hand on what the stream keeps back; a file's to the disk."""
        self._stream.flush()
        with suppress(OSError, AttributeError, io.UnsupportedOperation):  # no file
            if stat.S_ISREG(os.fstat(self._stream.fileno()).st_mode):
                os.fsync(self._stream.fileno())


@contextmanager
def opened(target: Target) -> Generator[Counted]:
    """Open *target* to be written; a file takes its place when the block ends without an exception."""
    with _streaming(target) as stream:
        sink = Counted(stream)
        try:
            yield sink
        except BaseException:
            sink.stopped = True
            raise


def _streaming(target: Target) -> AbstractContextManager[BinaryIO]:
    if isinstance(target, str | os.PathLike):
        return _replacing(Path(target))
    stream: Any = target
    if isinstance(stream, io.TextIOBase) or not callable(getattr(stream, "write", None)):
        raise CopyError(f"a {type(target).__name__} is no target: give a path, or a stream that is opened for bytes.")
    return nullcontext(target)


def compressing(sink: Counted, compression: str | None) -> pa.NativeFile | Counted:
    """Compress what is written to *sink*; to be closed at the end."""
    return sink if compression is None else pa.CompressedOutputStream(pa.PythonFile(sink, mode="w"), compression)


@contextmanager
def _replacing(path: Path) -> Generator[BinaryIO]:
    """Write beside *path*, in its folder, and put it there at the end; what an exception leaves is as it was before."""
    path = Path(os.path.realpath(path))  # a link stays one
    before = _regular(path)
    unfinished = path.with_name(f".{uuid4().hex}.part")
    try:
        file = unfinished.open("xb", buffering=0)
    except OSError as error:
        raise CopyError(f"{path} cannot be written: {error.strerror}. Nothing was read.") from error
    try:
        with file:
            if before is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            yield file
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _regular(path: Path) -> os.stat_result | None:
    try:
        found = path.stat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # which would not show before all is written
            raise CopyError(f"{path} cannot be written: its name is too long. Nothing was read.") from error
        return None  # what it is will show when it is opened
    if not stat.S_ISREG(found.st_mode):
        raise CopyError(f"{path} is no regular file, which could be replaced: open it yourself, and give the stream.")
    return found
