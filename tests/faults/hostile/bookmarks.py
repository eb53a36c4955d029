"""Bookmarks that nobody gave out: cut, changed, forged; and the statement of those that a forger got right."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, DateTime, Float, Numeric, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import Text

from dal.errors import KeysetError
from dal.keyset.bookmark import VERSION, _in_base64, _signature, _sum, decoded, encoded
from dal.keyset.ordering import Ordering
from dal.keyset.window import Window
from tests.faults.hostile.drawing import Draw
from tests.faults.hostile.part import Found, Part

KEY: Final = b"k" * 32


class _Base(DeclarativeBase):
    pass


class Place(_Base):
    """Has one column of each type by which a page may be ordered, all of which may be NULL."""

    __tablename__ = "place"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    words: Mapped[Any] = mapped_column(Text, nullable=True)
    amount: Mapped[Any] = mapped_column(Numeric(10, 2), nullable=True)
    moment: Mapped[Any] = mapped_column(DateTime(timezone=True), nullable=True)
    real: Mapped[Any] = mapped_column(Float, nullable=True)
    tags: Mapped[Any] = mapped_column(ARRAY(Text), nullable=True)
    document: Mapped[Any] = mapped_column(JSONB, nullable=True)


ORDERINGS: Final = [
    Ordering.of(Place, by, keys=keys)
    for keys in ([], [KEY])
    for by in ((), Place.words, Place.amount.desc(), [Place.moment, Place.real.desc()], [Place.tags, Place.document])
]
_DIALECT: Final = postgresql.dialect()
_SQL: dict[tuple[int, tuple[bool, ...], bool], str] = {}


def check_bookmark(data: bytes) -> None:
    """Give a text for a bookmark, or one of the right form about whatever."""
    draw = Draw(data)
    number = draw.under(len(ORDERINGS))
    bookmark = _forged(draw, ORDERINGS[number]) if draw.flag() else draw.text()
    try:
        window = Window.on(ORDERINGS[number], 1 + draw.under(100), after=bookmark)
    except KeysetError:
        return
    if draw.under(8) == 0:
        _same_text(number, window)


def check_values(data: bytes) -> None:
    """Put values into a bookmark, and take them out again; change a bit, and none come out."""
    draw = Draw(data)
    keys = [KEY] if draw.flag() else []
    digest = ORDERINGS[0].digest
    values = [draw.maybe(lambda: _text(draw)) for _ in range(draw.under(4))]
    bookmark = encoded(values, digest, keys)
    if list(decoded(bookmark, digest, keys)) != values:
        raise Found(f"{values!r} come out of their bookmark as {decoded(bookmark, digest, keys)!r}")
    at, other = draw.under(len(bookmark)), draw.text()[:1] or "A"
    changed = bookmark[:at] + other + bookmark[at + 1 :]
    try:
        decoded(changed, digest, keys)
    except KeysetError:
        return
    if changed != bookmark:
        raise Found(f"{bookmark!r} was changed to {changed!r}, and is still taken")


def _text(draw: Draw) -> str:
    return draw.raw(draw.under(40)).decode("utf-8", "replace").replace("\0", "")


def _forged(draw: Draw, ordering: Ordering) -> str:
    """Make a bookmark as somebody does who knows the form, and the key or that there is none."""
    digest = ordering.digest if draw.under(8) else draw.raw(8)
    body = (VERSION if draw.under(8) else draw.raw(1)) + digest + _values(draw, ordering)
    return _in_base64(body + (_signature(body, KEY) if ordering.keys else _sum(body)))


def _values(draw: Draw, ordering: Ordering) -> bytes:
    several = len(ordering.elements) if draw.under(8) else draw.under(5)
    texts = [draw.maybe(lambda: draw.text().encode("utf-8", "surrogatepass")) for _ in range(several)]
    return b"".join(b"\0" if each is None else b"\0=" + each for each in texts)


def _same_text(number: int, window: Window) -> None:
    """The statement of one shape is one text, whatever the values: they are nowhere but in its parameters."""
    values = window.values or ()
    shape = (number, tuple(each is None for each in values), window.is_backwards)
    text = str(window.of(select(Place)).compile(dialect=_DIALECT))
    if _SQL.setdefault(shape, text) != text:
        raise Found(f"{values!r} change the statement to {text}")


PARTS: Final = [
    Part("bookmark", check_bookmark, 12),
    Part("bookmark values", check_values, 20),
]
