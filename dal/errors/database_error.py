"""What every error of the server's, or of the driver's in its place, has in common, and which SQLSTATE is which class.

A class says its SQLSTATEs where it is defined, and nowhere else. Refuses: reading the driver's errors.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from sqlalchemy import exc as sa_exc

from dal.errors.own import DALError

_BY_SQLSTATE: Final[dict[str, type[DatabaseError]]] = {}


class DatabaseError(DALError, sa_exc.DBAPIError):
    """The server, or the driver in its place, refused a statement.

    `sqlstate` is None only for errors that arose on the client's side and have none. `constraint`, `schema`, `table`,
    `column`, `position` (in characters of the statement, from 1), `server_detail` and `server_hint` are as the server
    sent them; the detail may hold values of rows, so it is part of no message, and of no pickle unless parameters are
    shown. (`detail` is SQLAlchemy's own list of remarks.)

    An application names its own SQLSTATEs, or classes of two characters, by a subclass:
    `class Overbooked(RaiseException, sqlstates=("BK001",))` is raised by `RAISE ... USING ERRCODE = 'BK001'`.
    """

    sqlstates: ClassVar[tuple[str, ...]] = ()
    """What the server says when it means this class, or a class of two characters; what is inherited does not count."""

    advice: ClassVar[str] = ""
    """What to do, at the end of every message."""

    sqlstate: str | None = None
    constraint: str | None = None
    schema: str | None = None
    table: str | None = None
    column: str | None = None
    position: int | None = None
    server_detail: str | None = None
    server_hint: str | None = None

    def __init_subclass__(cls, *, sqlstates: tuple[str, ...] = ()) -> None:
        super().__init_subclass__()
        cls.sqlstates = sqlstates
        for sqlstate in sqlstates:
            named = _BY_SQLSTATE.setdefault(sqlstate, cls)
            if (named.__module__, named.__qualname__) != (cls.__module__, cls.__qualname__):
                raise TypeError(f"SQLSTATE {sqlstate} is {named.__name__} already: catch that, or take another code.")
            _BY_SQLSTATE[sqlstate] = cls  # of a module that was loaded again

    def __init__(self, message: str, statement: str | None = None, orig: BaseException | None = None) -> None:
        # Past DBAPIError's own, which would put the driver's whole text, values and all, into the message.
        sa_exc.StatementError.__init__(self, message, statement, None, orig, hide_parameters=True)

    def __str__(self) -> str:
        return "; ".join([str(self.args[0]), *self.detail])

    def __reduce__(self) -> tuple[object, ...]:
        # The driver's exception may not be picklable; everything worth knowing was copied from it.
        state: dict[str, Any] = {**self.__dict__, "orig": None}
        if self.hide_parameters:
            state["server_detail"] = None
        return type(self), (str(self.args[0]), self.statement), state


def class_of(sqlstate: str) -> type[DatabaseError]:
    """Find the class of *sqlstate*: by all five characters, else by the two of its class, else `DatabaseError`."""
    return _BY_SQLSTATE.get(sqlstate) or _BY_SQLSTATE.get(sqlstate[:2], DatabaseError)
