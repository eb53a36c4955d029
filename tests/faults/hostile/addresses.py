"""Connection URLs and settings from the environment: a `ConfigError` that tells no password, or a value that is one."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from sqlalchemy import URL, exc, make_url

from dal import DatabaseConfig, PoolConfig
from dal.config import ENVIRONMENT_URL
from dal.errors import ConfigError
from dal.transaction.options import opening
from tests.faults.hostile.drawing import Draw
from tests.faults.hostile.part import Found, Part
from tests.faults.hostile.words import ADDRESSES, NUMBERS, UNICODE

SECRET: Final = "pa55-canary"
_VARIABLES: Final = [f"DAL_POOL_{field.name.upper()}" for field in dataclasses.fields(PoolConfig)]


def check_url(data: bytes) -> None:
    """Read a URL, and what asyncpg is given of it."""
    draw = Draw(data)
    url = _composed(draw) if draw.flag() else draw.text(ADDRESSES)
    try:
        config = DatabaseConfig.from_url(url)
    except ConfigError as error:
        _silent(url, str(error))
        return
    _silent(url, repr(config), config.where)
    again = DatabaseConfig.from_url(config.url)
    if again.url != config.url:
        raise Found(f"{url!r} is another one when it is read twice")


def check_environment(data: bytes) -> None:
    """Read a pool's and a database's settings."""
    draw = Draw(data)
    environ = {draw.one_of(_VARIABLES): draw.text(NUMBERS if draw.flag() else UNICODE) for _ in range(draw.under(4))}
    environ[ENVIRONMENT_URL] = draw.text(ADDRESSES) if draw.flag() else "postgresql://u:pa55-canary@h/x"
    try:
        config = DatabaseConfig.from_env(environ)
    except ConfigError as error:
        _silent(environ[ENVIRONMENT_URL], str(error))
        return
    for name in ("size", "max_overflow", "max_waiting", "processes"):
        if type(getattr(config.pool, name)) is not int:
            raise Found(f"{name} is no int by {environ!r}")


def check_transaction(data: bytes) -> None:
    """Spell a BEGIN: every name and value is one token of it, whatever is in it."""
    draw = Draw(data)
    options: Any = {}
    if draw.flag():
        options["settings"] = {draw.text(): draw.text() for _ in range(1 + draw.under(3))}
    if draw.flag():
        options["role"] = draw.text()
    if draw.flag():
        options["isolation"] = draw.text()
    for name in ("timeout_s", "lock_timeout_s", "statement_timeout_s"):
        if draw.under(4) == 0:
            options[name] = draw.one_of([0, -1, 1, 1e-9, 1e308, float("nan"), float("inf"), 10**400, True])
    try:
        sql = opening(options)
    except ConfigError:
        return
    _only_known(sql)


_SET: Final = tuple(
    f"SET LOCAL {what}" for what in ("? = ?", "ROLE ?", "statement_timeout = ", "lock_timeout = ")
)  # fmt: skip


def _only_known(sql: str) -> None:
    """Take the quoted out of *sql* as the server does, and look at what is left."""
    left, at = "", 0
    while at < len(sql):
        if sql[at] == '"' or sql.startswith("E'", at):
            at = _end_of_quoted(sql, at)
            left += "?"
        else:
            left += sql[at]
            at += 1
    for each in filter(None, left.split("; ")):
        words = each.replace("?.", "").replace(".", "")
        known = words.startswith((*_SET, "SELECT pg_catalogset_config(?, ?, true)", "ISOLATION LEVEL "))
        if not known or "'" in each or ";" in each:
            raise Found(f"BEGIN has more in it than was asked: {sql!r}")


def _end_of_quoted(sql: str, at: int) -> int:
    quote = sql[at] if sql[at] == '"' else "'"
    at += 1 if quote == '"' else 2
    while at < len(sql):
        if (quote == "'" and sql[at] == "\\") or sql.startswith(quote * 2, at):
            at += 2
        elif sql[at] == quote:
            return at + 1
        else:
            at += 1
    raise Found(f"a quote of BEGIN is not closed: {sql!r}")


def _composed(draw: Draw) -> str | URL:
    if draw.under(4) == 0:
        query: Any = {draw.text(): draw.text() if draw.flag() else tuple(draw.texts(3)) for _ in range(draw.under(3))}
        port: Any = draw.one_of([None, 0, -1, 5432, 65536, 2**70])
        return URL.create("postgresql", draw.text(), f"{SECRET}{draw.text()}", draw.text(), port, draw.text(), query)
    host = f"{draw.text()}:{draw.text(NUMBERS)}" if draw.flag() else draw.text()
    return f"postgresql://{draw.text()}:{SECRET}@{host}/{draw.text()}?{draw.text()}={draw.text()}"


def _silent(url: str | URL, *told: str) -> None:
    """What was given as a password is in no message; in another place of a URL it is none."""
    if isinstance(url, URL):
        elsewhere = f"{url.username} {url.host} {url.database} {url.query}"
        is_secret = SECRET in str(url.password) and SECRET not in elsewhere
    else:
        is_secret = url.count(SECRET) == 1 and _is_password(url)
    for each in told:
        if is_secret and SECRET in each:
            raise Found(f"{url!r} tells its password: {each}")


def _is_password(url: str) -> bool:
    try:
        return SECRET in str(make_url(url).password)
    except (exc.ArgumentError, ValueError):
        return f":{SECRET}@" in url


PARTS: Final = [
    Part("url", check_url, 16, [each.encode("utf-8", "surrogatepass") for each in ADDRESSES]),
    Part("environment", check_environment, 14),
    Part("transaction", check_transaction, 14),
]  # fmt: skip
