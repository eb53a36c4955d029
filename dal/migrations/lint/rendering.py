"""Every revision's `upgrade()`, rendered as SQL by the project's own env.py, without a database.

One run of env.py for all of them, as `alembic upgrade heads --sql` does it; one that cannot be rendered is a finding,
and the others are rendered all the same.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import MetaData

from dal.errors import MigrationError
from dal.migrations.lint.finding import Finding, Place, Statement
from dal.migrations.lint.recording import Recording

NOT_RENDERED: Final = "not-rendered"

_HELP: Final = (
    "Offline, op.get_bind() has no rows to give: say it in one SQL statement, or move rows by op.backfill in a "
    "revision of its own. What this revision sends after this line was not judged."
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What all revisions send, in the order in which they are run."""

    files: dict[str, Path]
    """By the revision."""
    statements: list[Statement]
    findings: list[Finding]
    """Those that could not be rendered."""
    metadata: list[MetaData]
    """The models, as env.py gives them to Alembic."""


def scripts(config: Config) -> ScriptDirectory:
    """Read the revisions. Raises `MigrationError` where Alembic finds none, or no order in them."""
    try:
        script = ScriptDirectory.from_config(config)
        script.get_heads()
    except CommandError as error:
        raise MigrationError(f"the revisions cannot be read: {error}") from error
    except KeyError as error:  # what Alembic makes of it, after a warning
        raise MigrationError(
            f"the revisions cannot be read: one follows {error}, and there is none of that name"
        ) from error
    return script


def revisions_after(script: ScriptDirectory, since: str | None) -> set[str]:
    """Name all revisions but *since* and those before it. Raises `MigrationError` where there is none of that name."""
    names = {each.revision for each in script.walk_revisions()}
    if since is None:
        return names
    try:
        at = tuple(each.revision for each in script.get_revisions(since))
    except CommandError as error:
        raise MigrationError(f"cannot lint since {since!r}: {error}") from error
    return names - {each.revision for each in script.iterate_revisions(at, "base")}


def render(config: Config, script: ScriptDirectory) -> Rendered:
    """Render every revision up to all heads.

    Runs env.py and the revisions' code. Raises `MigrationError` for what Alembic refuses.
    """
    rendering = _Rendering(config, script)
    try:
        rendering.run()
    except CommandError as error:
        raise MigrationError(f"the revisions cannot be rendered: {error}") from error
    missing = [each.revision for each in script.walk_revisions() if each.revision not in rendering.rendered.files]
    if missing:
        raise MigrationError(
            f"env.py rendered nothing of {len(missing)} revisions, such as {missing[0]}: "
            "it has to run them offline, too, as dal.migrations.run_env does."
        )
    return rendering.rendered


class _Rendering:
    def __init__(self, config: Config, script: ScriptDirectory) -> None:
        self._config = config
        self._recording = config.output_buffer = Recording()
        self._script = script
        self.rendered = Rendered({}, self._recording.statements, [], [])

    def run(self) -> None:
        with EnvironmentContext(
            self._config, self._script, fn=self._steps, as_sql=True, starting_rev=None, destination_rev="heads"
        ):
            self._script.run_env()

    def _steps(self, _: object, context: MigrationContext) -> list[RevisionStep]:
        given: MetaData | Collection[MetaData] | None = context.opts.get("target_metadata")
        if given is not None:
            self.rendered.metadata.extend([given] if isinstance(given, MetaData) else given)
        upwards = reversed(list(self._script.iterate_revisions("heads", "base", implicit_base=True)))
        return [self._step(each) for each in upwards]

    def _step(self, script: Script) -> RevisionStep:
        step = MigrationStep.upgrade_from_script(self._script.revision_map, script)
        step.migration_fn = self._heard(script.revision, Path(script.path), step.migration_fn)
        return step

    def _heard(self, revision: str, file: Path, upgrade: Callable[..., Any]) -> Callable[..., None]:
        self.rendered.files[revision] = file

        def run(**kw: Any) -> None:
            self._recording.begin(revision, file)
            try:
                upgrade(**kw)
            except (Exception, SystemExit) as error:
                # A revision's code may raise anything, and the others are judged all the same.
                self.rendered.findings.append(_not_rendered(revision, file, error))
            finally:
                self._recording.end()

        return run


def _not_rendered(revision: str, file: Path, error: BaseException) -> Finding:
    """Say which kind of error it was, and no more: its text may have a value of a parameter."""
    lines = [each.lineno for each in traceback.extract_tb(error.__traceback__) if Path(each.filename) == file]
    place = Place(revision, file, next((line for line in reversed(lines) if line), 1))
    return place.finding(
        NOT_RENDERED, f"This cannot be rendered without a database: {type(error).__name__}.", help=_HELP
    )
