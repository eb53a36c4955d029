"""What `dal load` is asked to do: its options, checked, as the values that `copy_in` takes.

Pure, but for the files it looks for. Refuses: connecting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dal.cli.database_url import database_of
from dal.cli.load_form import FileOptions, form_of, pairs
from dal.cli.usage import Usage
from dal.config import DatabaseConfig
from dal.copy import Action, Conflict, CopyOptions, OnError, Rejecting
from dal.copy.asked import Asked
from dal.copy.rejects import refuse_to_overwrite
from dal.copy.text import resolve

__all__ = ["FileOptions", "LoadAsked", "RowOptions", "asked_of"]

_REJECTS = (".csv", ".tsv", ".ndjson", ".jsonl")


@dataclass(frozen=True, slots=True)
class RowOptions:
    """What was typed about the table and its rows; None or nothing where nothing was."""

    table: str
    schema: str | None
    rename: Sequence[str]
    on_conflict: Action
    key: Sequence[str]
    update: Sequence[str]
    duplicates: Literal["last", "first", "error"] | None
    on_error: OnError | None
    rejects: str | None
    rejects_table: str | None
    max_rejects: int | None
    commit_every: int | None
    resume: str | None
    workers: int
    rebuild: bool
    analyze: bool
    dry_run: bool


@dataclass(frozen=True, slots=True)
class LoadAsked:
    """One load, ready to be run: where, what, and with which options of `copy_in`."""

    config: DatabaseConfig
    paths: Sequence[Path]
    table: str
    schema: str | None
    options: CopyOptions
    dry_run: bool

    @property
    def copy(self) -> Asked:
        """What `copy_in` makes of the options."""
        return Asked(**self.options)


def asked_of(files: Sequence[str], url: str | None, of_files: FileOptions, of_rows: RowOptions) -> LoadAsked:
    """Check what was typed. Raises `Usage`, `CopyError` or `ConfigError`; nothing was opened then."""
    paths = _paths_of(files)
    config = database_of(url, of_rows.workers)
    options: CopyOptions = {
        "form": form_of(of_files, paths),
        "rename": pairs("--rename", of_rows.rename),
        "on_conflict": _conflict_of(of_rows),
        "on_error": _on_error_of(of_rows, paths),
        "commit_every": of_rows.commit_every,
        "resume": of_rows.resume,
        "workers": of_rows.workers,
        "rebuild": of_rows.rebuild,
        "analyze": of_rows.analyze,
    }
    _refuse_parts(of_rows)
    return LoadAsked(config, paths, of_rows.table, of_rows.schema, options, of_rows.dry_run)


def _paths_of(files: Sequence[str]) -> list[Path]:
    paths = list(dict.fromkeys(path for each in files for path in resolve(each)))
    if Path("-") in paths and len(paths) > 1:
        raise Usage("the standard input is loaded alone: leave out - or the other files.")
    return paths


def _conflict_of(options: RowOptions) -> Conflict:
    if options.update and options.on_conflict != "update":
        raise Usage("--update names columns for --on-conflict update: give that too, or leave it out.")
    if options.on_conflict not in ("skip", "update") and options.duplicates:
        raise Usage("--duplicates is for --on-conflict skip and update: give that too, or leave it out.")
    if options.on_conflict in ("error", "replace") and options.key:
        raise Usage("--key is for --on-conflict skip, update and append_only_new: give that too, or leave it out.")
    return Conflict(
        options.on_conflict, options.key, list(options.update) or None, duplicates=options.duplicates or "last"
    )


def _on_error_of(options: RowOptions, paths: Sequence[Path]) -> OnError | Rejecting:
    if options.rejects is None and options.rejects_table is None and options.max_rejects is None:
        return options.on_error or "abort"
    if options.on_error == "abort":
        raise Usage("--rejects, --rejects-table and --max-rejects are for --on-error reject, not abort.")
    if options.rejects is not None:
        _check_rejects(Path(options.rejects), paths)
    return Rejecting(options.rejects, options.max_rejects, options.rejects_table)


def _check_rejects(path: Path, paths: Sequence[Path]) -> None:
    if path.suffix not in _REJECTS:
        raise Usage(f"--rejects is {path}: give a name that ends in {', '.join(_REJECTS)}.")
    if not path.parent.is_dir():
        raise Usage(f"--rejects is {path}, and there is no folder {path.parent}.")
    refuse_to_overwrite(Rejecting(path), paths)


def _refuse_parts(options: RowOptions) -> None:
    is_in_parts = options.commit_every is not None or options.resume is not None
    if is_in_parts and options.dry_run:
        raise Usage("--dry-run rolls back at the end: leave out --commit-every and --resume.")
    if options.workers > 1 and options.dry_run:
        raise Usage("--dry-run rolls back one transaction: leave out --workers.")
    if is_in_parts and options.on_conflict in ("replace", "append_only_new"):
        raise Usage(f"--on-conflict {options.on_conflict} is one transaction: leave out --commit-every and --resume.")
    if is_in_parts and options.rebuild:
        raise Usage("--rebuild is one transaction: leave out --commit-every and --resume.")
