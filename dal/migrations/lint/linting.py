"""The lint as a whole: render, judge, and leave out what is ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import MetaData

from dal.migrations.lint import beyond_sql
from dal.migrations.lint.dropped import Dropped
from dal.migrations.lint.finding import Finding
from dal.migrations.lint.ignores import Ignores
from dal.migrations.lint.long_locks import long_locks
from dal.migrations.lint.models import models_of
from dal.migrations.lint.options import Options, options
from dal.migrations.lint.rendering import Rendered, render, revisions_after, scripts
from dal.migrations.lint.rules import HELP, SAID_BY
from dal.migrations.lint.squawk import Violation, violations
from dal.migrations.options import config_of


def lint(
    ini: Path = Path("alembic.ini"),
    *,
    since: str | None = None,
    target_metadata: MetaData | None = None,
    pg_version: str | None = None,
) -> list[Finding]:
    """Judge every revision but *since* and those before it, in the order in which they are run.

    Renders all revisions offline, by the project's env.py, and starts squawk once; sends nothing to a database. Without
    *target_metadata*, the models are those that env.py gives to Alembic; without *pg_version*, the server is the oldest
    that dal works with. The section `[dal]` of *ini* may have `lint_exclude`, `lint_include`, `lint_since` and
    `lint_pg_version`.

    Raises `MigrationError` for what Alembic or squawk refuse, `ConfigError` without *ini*, and `MissingExtra`.
    """
    config = config_of({"ini": ini})
    chosen = options(config, since, pg_version)
    config.config_file_name = None  # it is read; an env.py that finds its name sets up logging for the whole process
    script = scripts(config)
    judged = revisions_after(script, chosen.since)
    rendered = render(config, script)
    metadata = rendered.metadata if target_metadata is None else [target_metadata]
    found = [each for each in _found(rendered, metadata, chosen) if each.revision in judged]
    files = {revision: file for revision, file in rendered.files.items() if revision in judged}
    left = _not_ignored([each for each in found if each.rule not in chosen.exclude], files)
    order = {revision: at for at, revision in enumerate(files)}
    return sorted(
        dict.fromkeys(each for each in left if each.rule not in chosen.exclude),  # squawk may say it of both of two
        key=lambda each: (order[each.revision], each.line, each.rule),
    )


def _found(rendered: Rendered, metadata: Sequence[MetaData], chosen: Options) -> Iterator[Finding]:
    models = models_of(metadata)
    dropped = Dropped(rendered.statements, models if metadata else None)
    yield from rendered.findings
    yield from beyond_sql.foreign_keys_without_index(rendered.statements, models)
    yield from beyond_sql.not_atomic(rendered.statements)
    yield from beyond_sql.enum_values_used(rendered.statements)
    yield from long_locks(rendered.statements, chosen.pg_version)
    for each in _said_once(violations(rendered.statements, chosen)):
        finding = dropped.asked(each, _finding(each))
        if finding is not None:
            yield finding


def _said_once(said: Sequence[Violation]) -> Iterator[Violation]:
    """Leave out what squawk says in other words of the same thing."""
    rules: dict[object, set[str]] = {}
    for each in said:
        rules.setdefault(each.where, set()).add(each.rule)
    return (each for each in said if not SAID_BY.get(each.rule, frozenset()) & rules[each.where])


def _finding(violation: Violation) -> Finding:
    return violation.statement.place.finding(
        violation.rule,
        violation.message,
        help=HELP.get(violation.rule, violation.help),
        sql=violation.statement.sql,
    )


def _not_ignored(found: Sequence[Finding], files: Mapping[str, Path]) -> list[Finding]:
    """Leave out what comments say to ignore, and add what is wrong with the comments."""
    ignores = {revision: Ignores(revision, file) for revision, file in files.items()}
    left = [each for each in found if not ignores[each.revision].ignore(each)]
    return left + [finding for each in ignores.values() for finding in each.findings()]
