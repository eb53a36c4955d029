r"""How the files of `dal load` are written: from its options, and from the files' names.

Pure. Refuses: opening them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dal.cli.usage import Usage
from dal.copy import Csv, Ndjson
from dal.copy.source import Format, format_of


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What was typed about the files; None or nothing where nothing was."""

    format: Format | None = None
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    null: Sequence[str] = ()
    encoding: str | None = None
    no_header: bool = False
    columns: str | None = None
    date: Sequence[str] = ()

    @property
    def of_delimited(self) -> dict[str, Any]:
        """What is for CSV and TSV only, by the option's name."""
        given = {
            "--delimiter": self.delimiter,
            "--quote": self.quote,
            "--escape": self.escape,
            "--null": self.null or None,
            "--encoding": self.encoding,
            "--no-header": self.no_header or None,
            "--columns": self.columns,
        }
        return {name: value for name, value in given.items() if value is not None}


def form_of(options: FileOptions, paths: Sequence[Path]) -> Csv | Ndjson | None:
    """Say how all of *paths* are written; None is Parquet. Raises `Usage`, and `CopyError` as `Csv` does."""
    kind = options.format or _format_of(paths)
    dates = {name: tuple(formats) for name, formats in _grouped("--date", options.date).items()}
    if kind in ("csv", "tsv"):
        return _csv(options, kind, dates)
    for name in options.of_delimited:
        raise Usage(f"{name} is for CSV and TSV, and this is {kind}: leave it out, or give --format csv.")
    if kind == "ndjson":
        return Ndjson(dates)
    if dates:
        raise Usage("--date is for text files, and this is Parquet: leave it out, or give --format csv.")
    return None


def pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Take texts such as `theirs=ours` apart; raises `Usage` for one that is none, or a name that is given twice."""
    found = _grouped(option, given)
    for name, values in found.items():
        if len(values) > 1:
            raise Usage(f"{option} is given {len(values)} times for {name!r}: give it once.")
    return {name: value for name, (value,) in found.items()}


def _grouped(option: str, given: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals and value):
            raise Usage(f"{option} is {each!r}: give two names with an equals sign between them, as --help shows.")
        found.setdefault(name, []).append(value)
    return found


def _format_of(paths: Sequence[Path]) -> Format:
    kinds = {format_of(path): path for path in paths}
    if len(kinds) > 1:
        (one, first), (other, second) = list(kinds.items())[:2]
        raise Usage(f"{first} is {one} and {second} is {other}: load files of one kind at a time, or give --format.")
    return format_of(paths[0])


def _csv(options: FileOptions, kind: Format, dates: dict[str, tuple[str, ...]]) -> Csv:
    if options.no_header != (options.columns is not None):
        raise Usage("--no-header and --columns go together: the names of a file that has none.")
    delimiter = options.delimiter or ("\t" if kind == "tsv" else ",")
    return Csv(
        delimiter="\t" if delimiter == r"\t" else delimiter,
        quote='"' if options.quote is None else options.quote,
        escape=options.escape,
        header=True if options.columns is None else options.columns.split(","),
        null=tuple(options.null) or "",
        encoding=options.encoding or "utf-8",
        dates=dates,
    )
