"""What every error of the server's, or of the driver's in its place, has in common.

Refuses: knowing which SQLSTATE is which.
"""

from __future__ import annotations

from sqlalchemy import exc as sa_exc

from dal.errors.own import DALError


class DatabaseError(DALError, sa_exc.DBAPIError):
    """The server, or the driver in its place, refused a statement.

    `sqlstate` is None only for errors that arose on the client's side and have none. `constraint`, `table`, `column`,
    `server_detail` and `server_hint` are as the server sent them; the detail may hold values of rows, so it is never
    part of the message. (`detail` is SQLAlchemy's own list of remarks.)
    """

    sqlstate: str | None = None
    constraint: str | None = None
    table: str | None = None
    column: str | None = None
    server_detail: str | None = None
    server_hint: str | None = None

    def __init__(self, message: str, statement: str | None = None, orig: BaseException | None = None) -> None:
        # Past DBAPIError's own, which would put the driver's whole text, values and all, into the message.
        sa_exc.StatementError.__init__(self, message, statement, None, orig, hide_parameters=True)

    def __str__(self) -> str:
        return "; ".join([str(self.args[0]), *self.detail])

    def __reduce__(self) -> tuple[object, ...]:
        # The driver's exception may not be picklable; everything worth knowing was copied from it.
        return type(self), (str(self.args[0]), self.statement), {**self.__dict__, "orig": None}
