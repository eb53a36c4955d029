"""Whether somebody hears of the statements that SQLAlchemy sends: then SQLAlchemy sends them, and nobody around it.

Costs about a microsecond, so it is asked anew for each read. Refuses: knowing what a listener would do.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from dal.telemetry import is_logging

# dal's own, on every engine of a Database: what a cancelled statement means, and what an error is called.
_OWN_ERROR_LISTENERS: Final = 2
# Of options that change what is sent, or how, dal's reads know none.
_HARMLESS: Final = frozenset({"isolation_level", "populate_existing"})
# What has the listeners of the class and no others.
_any_session: Final = Session()


def is_engine_hooked(engine: Engine) -> bool:
    """Tell whether a listener, a log or an option of *engine* asks for SQLAlchemy's own way."""
    heard = engine.dialect.dispatch
    return bool(
        (getattr(engine, "_has_events", True) and _is_heard(engine))  # SQLAlchemy's own shortcut
        or len(heard.handle_error) > _OWN_ERROR_LISTENERS + is_logging()
        or heard.do_execute
        or changes_statements(engine.get_execution_options())
        or engine.logger.isEnabledFor(logging.INFO)  # by `echo` too
    )


def _is_heard(engine: Engine) -> bool:
    heard, log = engine.dispatch, is_logging()
    return bool(
        len(heard.before_cursor_execute) > log
        or len(heard.after_cursor_execute) > log
        or heard.before_execute
        or heard.after_execute
        or heard.engine_connect
        or heard.begin
        or heard.commit
        or heard.rollback
    )


def is_session_hooked(session: Session) -> bool:
    """Tell whether a listener may change, replace or count what *session* executes."""
    return bool(session.dispatch.do_orm_execute)


def is_session_expected() -> bool:
    """Tell whether somebody does something for every session that begins, such as to say who the tenant is."""
    heard = _any_session.dispatch
    return bool(heard.do_orm_execute or heard.after_begin or heard.after_transaction_create)


def changes_statements(options: Any) -> bool:
    """Tell whether execution options such as `schema_translate_map` ask for SQLAlchemy's own way."""
    return bool(options) and not _HARMLESS.issuperset(options)
