"""A place in an ordering as opaque, url-safe text.

A byte of version, the ordering's digest, the values, and a check: a sum against what was cut or mistyped, or with keys
a signature, which nobody makes without one. Refuses: telling a client more than that; a signature hides no value.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from dal.errors import KeysetError

VERSION: Final = b"\x01"
DIGEST_BYTES: Final = 8
SUM_BYTES: Final = 8
SIGNATURE_BYTES: Final = 16
KEY_BYTES: Final = range(16, blake2b.MAX_KEY_SIZE + 1)

_PERSON: Final = b"dal.keyset"
# PostgreSQL's texts have no zero bytes: one begins each value, and nothing after it is NULL.
_NULL: Final = b"\0"
_TEXT: Final = b"\0="


def digest_of(words: str) -> bytes:
    """Give the digest of an ordering's *words*, the same in every process."""
    return blake2b(words.encode(), digest_size=DIGEST_BYTES, person=_PERSON).digest()


def checked_keys(keys: Sequence[bytes] | bytes) -> tuple[bytes, ...]:
    """Give the keys; raises `KeysetError` where one is too short or too long."""
    if isinstance(keys, bytes) or not all(len(key) in KEY_BYTES for key in keys):
        raise KeysetError(
            f"keys= is a sequence of keys, each {KEY_BYTES.start} to {KEY_BYTES.stop - 1} bytes long: "
            "secrets.token_bytes(32) makes one."
        )
    return tuple(keys)


def encoded(values: Sequence[str | None], digest: bytes, keys: Sequence[bytes]) -> str:
    """Make the bookmark of a row's *values*, signed by the first of *keys*."""
    told = b"".join(_NULL if value is None else _TEXT + value.encode() for value in values)
    body = VERSION + digest + told
    return _in_base64(body + (_signature(body, keys[0]) if keys else _sum(body)))


def decoded(bookmark: str, digest: bytes, keys: Sequence[bytes]) -> tuple[str | None, ...]:
    """Give the values again; raises `KeysetError` for what was not made for this ordering, and by one of *keys*."""
    raw = _from_base64(str(bookmark))
    if raw[:1] != VERSION:
        raise KeysetError("the bookmark is of another version of dal, or damaged: begin at the first page.")
    size = SIGNATURE_BYTES if keys else SUM_BYTES
    body, check = raw[:-size], raw[-size:]
    expected = [_signature(body, key) for key in keys] or [_sum(body)]
    if not any([hmac.compare_digest(check, each) for each in expected]):  # noqa: C419 # all of them, in constant time
        raise KeysetError(_forged(keys))
    if body[1 : 1 + DIGEST_BYTES] != digest:
        raise KeysetError(
            "the bookmark was made for another ordering, or for another class: give the order_by that its page was "
            "read with, or begin at the first page."
        )
    return tuple(_value(each) for each in body[1 + DIGEST_BYTES :].split(_NULL)[1:])


def _value(told: bytes) -> str | None:
    try:
        return told[1:].decode() if told else None
    except UnicodeDecodeError:
        raise KeysetError("the bookmark holds what is no text: begin at the first page.") from None


def _forged(keys: Sequence[bytes]) -> str:
    if keys:
        return f"the bookmark is signed by none of {len(keys)} keys, or was cut or changed: begin at the first page."
    return "the bookmark was cut or changed, or is signed and the ordering has no keys=: begin at the first page."


def _sum(body: bytes) -> bytes:
    return blake2b(body, digest_size=SUM_BYTES, person=_PERSON).digest()


def _signature(body: bytes, key: bytes) -> bytes:
    return blake2b(body, digest_size=SIGNATURE_BYTES, key=key, person=_PERSON).digest()


def _in_base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _from_base64(bookmark: str) -> bytes:
    try:
        raw = urlsafe_b64decode(bookmark.encode("ascii") + b"=" * (-len(bookmark) % 4))
    except ValueError:
        raw = b""
    # Python skips what is not of the alphabet, and bits that the last character has over.
    if not raw or _in_base64(raw) != bookmark:
        raise KeysetError(f"the bookmark of {len(bookmark)} characters is no bookmark: begin at the first page.")
    return raw
