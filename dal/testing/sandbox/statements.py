"""What the words of a client are made into, so that its transaction ends while the one around it goes on.

A savepoint stands where the last unit of work ended: the next one is undone by going back there, and committed by
moving the savepoint on. Pure. Refuses: knowing whose words they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dal.testing import wire

# The server is in a transaction anyway: it warns, and does nothing but what the modes say.
NOTHING: Final = "BEGIN"
# What COMMIT checks is checked, and is deferred again for the next unit of work.
_CHECK: Final = (
    "SAVEPOINT dal_check", "SET CONSTRAINTS ALL IMMEDIATE",
    "ROLLBACK TO SAVEPOINT dal_check", "RELEASE SAVEPOINT dal_check",
)  # fmt: skip
_NEXT: Final = ("RELEASE SAVEPOINT dal_sandbox", "SAVEPOINT dal_sandbox")
NEXT: Final = "; ".join(_NEXT)
COMMIT: Final = "COMMIT"  # see commit()
ROLLBACK: Final = "ROLLBACK TO SAVEPOINT dal_sandbox"

_BLANK: Final = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_FLAGS: Final = re.IGNORECASE | re.DOTALL
_CONTROL: Final = re.compile(
    rf"{_BLANK}(?:(?P<begin>begin|start\s+transaction)|(?P<commit>commit|end)|(?P<rollback>rollback|abort))\b"
    r"(?!\s+(?:(?:work|transaction)\s+)?(?:to|prepared|atomic)\b)(?P<modes>.*)",
    _FLAGS,
)
_CHAINS: Final = re.compile(r"\band\s+chain\b", re.IGNORECASE)
_READS: Final = re.compile(r"\bread\s+only\b", re.IGNORECASE)
_RESETS: Final = re.compile(rf"{_BLANK}(?P<what>discard|deallocate)\s+(?:prepare\s+)?all{_BLANK}", _FLAGS)
_REWRITES: Final = re.compile(r"\b(?:begin|start|commit|end|rollback|abort|discard|deallocate)\b", re.IGNORECASE)
# One statement of a script; a semicolon in quotes or in a comment ends none.
_STATEMENT: Final = re.compile(
    r"""(?:--[^\n]*|/\*.*?\*/|e'(?:[^'\\]|\\.)*'|'[^']*'|"[^"]*"|(\$(?:[a-z_]\w*)?\$).*?\1|[\w$]+|[^;])+""", _FLAGS
)
_FUNCTION_BODY: Final = re.compile(r"\bbegin\s+atomic\b", re.IGNORECASE)

_SETS: Final = re.compile(
    rf"{_BLANK}(?:set\s+(?!local\b|transaction\b|constraints\b)|reset\b|discard\s+all\b"
    r"|select\s+(?:pg_catalog\.)?set_config\s*\((?=[^$]*,\s*false\s*\)))",
    _FLAGS,
)
_MAY_SET: Final = re.compile(r"(?:^|[;\n/])\s*(?:set|reset|discard|select[^;]*\bset_config)\b", re.IGNORECASE)
_RESETS_ALL: Final = re.compile(r"\b(?:reset|discard)\s+all\b", re.IGNORECASE)
_SETS_LOCALLY: Final = re.compile(r"\bset\s+local\b|\bset_config\b", re.IGNORECASE)
_CURSOR: Final = re.compile(r"\bdeclare\b(?!.*\bwith\s+hold\b)", _FLAGS)
_DROPPED: Final = re.compile(
    rf"{_BLANK}create\s+(?:(?:local|global)\s+)?temp(?:orary)?\s+table\s+(?:if\s+not\s+exists\s+)?(?:pg_temp\.)?"
    r'(?P<name>"(?:[^"]|"")+"|\w+).*\bon\s+commit\s+drop\b',
    _FLAGS,
)


@dataclass(frozen=True, slots=True)
class Step:
    """What the end of one statement means: *says* is for the client, b"" nothing, None what the server says."""

    says: bytes | None = None
    status: bytes | None = None
    is_committed: bool = False


BEGUN: Final = Step(b"BEGIN", wire.IN_TRANSACTION)
# After these a client may give the same names to other prepared statements.
GIVE_UP_NAMES: Final = (b"DISCARD ALL", b"DEALLOCATE ALL")


@dataclass(frozen=True, slots=True)
class Control:
    """A statement that begins or ends a transaction."""

    word: str
    is_read_only: bool
    chains: bool

    @property
    def status(self) -> bytes:
        """Say where the client is afterwards."""
        return wire.IN_TRANSACTION if self.chains or self.word == "BEGIN" else wire.IDLE


def control_of(statement: str) -> Control | None:
    """Read a BEGIN, COMMIT or ROLLBACK; None for every other statement."""
    found = _CONTROL.fullmatch(statement)
    if found is None:
        return None
    word = "BEGIN" if found["begin"] else "COMMIT" if found["commit"] else "ROLLBACK"
    return Control(word, bool(_READS.search(found["modes"])), bool(_CHAINS.search(found["modes"])))


def commit(left: Iterable[str] = ()) -> tuple[str, list[Step]]:
    """Give what checks and keeps a unit of work, and ends what it *left*; with a step for each statement."""
    said = (*_CHECK, *left, *_NEXT)
    steps = [Step(b"", wire.IDLE)] * (len(said) - 1)
    return "; ".join(said), [*steps, Step(b"", wire.IDLE, is_committed=True)]


def prepared(control: Control, status: bytes) -> tuple[str, Step]:
    """Give the one statement that stands for *control* where there may be no more than one.

    The work of a COMMIT is done after it.
    """
    if control.word == "ROLLBACK" or (control.word == "COMMIT" and status == wire.FAILED):
        return ROLLBACK, Step(b"ROLLBACK", control.status, is_committed=True)
    return _begin(control), Step(control.word.encode(), control.status)


def rewritten(text: str, status: bytes, left: Iterable[str]) -> tuple[str, list[Step]] | None:
    """Give a script and its steps with every BEGIN and COMMIT replaced; None if there is nothing to replace."""
    if not _REWRITES.search(text):
        return None
    said, steps = list[str](), list[Step]()
    for statement in _statements(text):
        control, resets = control_of(statement), _RESETS.fullmatch(statement)
        if control and control.word == "COMMIT" and status != wire.FAILED:
            words, ends = commit(left)
            said.append(words)
            steps += [*ends[:-1], Step(b"COMMIT", control.status, is_committed=True)]
        elif control:
            words, step = prepared(control, status)
            said.append(words)
            steps.append(step)
        else:
            # Another client's prepared statements must stay, and so must the transaction.
            is_discard = resets and resets["what"].lower() == "discard"
            said.append(statement if not resets else "RESET ALL" if is_discard else NOTHING)
            steps.append(Step(f"{resets['what']} ALL".upper().encode() if resets else None))
        status = control.status if control else status
    return ("; ".join(said), steps) if any(step.says is not None for step in steps) else None


def left_by(text: str) -> list[str]:
    """Say what must be run at the end of a transaction for what *text* leaves open until then."""
    dropped = _DROPPED.match(text)
    drop = [f"DROP TABLE IF EXISTS pg_temp.{dropped['name']}"] if dropped else []
    return [*drop, "CLOSE ALL"] if _CURSOR.search(text) else drop


def sets(text: str) -> list[str]:
    """Give the statements in *text* that change the settings of its session, and may be said again."""
    return [each for each in _statements(text) if _SETS.match(each)] if _MAY_SET.search(text) else []


def sets_locally(text: str) -> bool:
    """Say whether *text* may change settings for its transaction only."""
    return _SETS_LOCALLY.search(text) is not None and not sets(text)


def resets_all(setting: str) -> bool:
    """Say whether *setting* gives up all that was set before."""
    return _RESETS_ALL.search(setting) is not None


def settings(values: Mapping[str, str]) -> tuple[str, ...]:
    """Say in SQL what a client asked for when it connected."""
    return tuple(f"SELECT set_config('{_quoted(name)}', '{_quoted(to)}', false)" for name, to in values.items())


def use(settings: Sequence[str]) -> str:
    """Give what makes *settings* hold, and no others, for whatever comes next."""
    return "; ".join(["RESET SESSION AUTHORIZATION", "RESET ROLE", "RESET ALL", *settings, *_NEXT])


def _begin(control: Control) -> str:
    return f"{NOTHING} READ ONLY" if control.is_read_only else NOTHING


def _statements(text: str) -> list[str]:
    if _FUNCTION_BODY.search(text):
        return [text]
    found = [each[0] for each in _STATEMENT.finditer(text)]
    return [each for each in found if not re.fullmatch(_BLANK, each, _FLAGS)]


def _quoted(text: str) -> str:
    return text.replace("'", "''")
