"""`make fuzz`: so many inputs, most of them to the pure parts, and some tens of thousands to a real server.

    INPUTS=1000000 SEED=1 JOBS=2 python -m tests.faults.hostile.run

Prints a table, each finding with its input, and `fuzz N inputs, F findings`; the exit status is 1 if F is not 0.
"""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.faults.hostile.found import read
from tests.faults.hostile.part import save
from tests.faults.hostile.parts import PURE

# Of a million inputs, so many go to a server: there they take a hundred times as long.
TO_A_SERVER: Final = 0.02
# No part takes a tenth of it on a machine that does nothing else.
_PATIENCE_S: Final = 1800
_WANTS: Final = (
    "make fuzz wants atheris, which is there for Python 3.11 to 3.13 on Linux x86-64: make fuzz PYTHON=python3.13"
)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one part."""

    part: str
    inputs: int
    seconds: float
    findings: Sequence[dict[str, Any]]


def main() -> int:
    """Run all of it; gives the exit status."""
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    if importlib.util.find_spec("atheris") is None:
        console.print(_WANTS, soft_wrap=True)
        return 2
    inputs, seed = int(os.environ.get("INPUTS") or 1_000_000), os.environ.get("SEED") or str(int(time.time()))
    console.print(f"seed {seed}, {inputs:,} inputs", style="dim")
    done = list(_run(inputs, seed, int(os.environ.get("JOBS") or 2), console))
    findings = [each for part in done for each in part.findings]
    console.print(_table(done))
    for each in findings:
        console.print(f"[bold]{each['part']}[/]: {escape(each['found'])}", soft_wrap=True)
        console.print(f"  input {escape(each['input'])}\n  saved {escape(each['saved'])}", soft_wrap=True)
    console.print(f"fuzz {sum(each.inputs for each in done)} inputs, {len(findings)} findings")
    return 1 if findings else 0


def _run(inputs: int, seed: str, jobs: int, console: Console) -> Iterator[Done]:
    to_server = round(inputs * TO_A_SERVER)
    shares = sum(part.share for part in PURE.values())
    with tempfile.TemporaryDirectory(prefix="dal-fuzz-") as name, ThreadPoolExecutor(jobs) as pool:
        out = Path(name)
        running = [pool.submit(_attack, to_server, seed, out / "server")]
        for part in sorted(PURE.values(), key=lambda part: -part.share):
            # Rounded up, so that there are as many as were asked for.
            some = -(-(inputs - to_server) * part.share // shares)
            running.append(pool.submit(_guided, part.name, some, seed, out / part.name.replace(" ", "-")))
        for each in as_completed(running):
            for done in each.result():
                console.print(f"{done.part}: {done.inputs:,} in {done.seconds:.0f} s", style="dim")
                yield done


def _guided(part: str, inputs: int, seed: str, out: Path) -> list[Done]:
    number = str(int.from_bytes(seed.encode()[-3:], "big") or 1)  # libFuzzer takes numbers only
    started = time.perf_counter()
    code = _ended("guided", part, str(inputs), number, out)
    findings = list(read(out)) if (out / "findings").exists() else []
    given = struct.unpack("q", (out / "count").read_bytes())[0] if (out / "count").exists() else 0
    for left in (*out.glob("timeout-*"), *out.glob("oom-*"), *out.glob("crash-*"), *out.glob("leak-*")):
        data = left.read_bytes()
        found = {
            "part": part,
            "found": left.name.partition("-")[0],
            "input": repr(data),
            "saved": str(save(part, data)),
        }
        findings.append(found)
    if code and not findings:
        findings.append(_ending(part, code, out))
    return [Done(part, given, time.perf_counter() - started, findings)]


def _attack(inputs: int, seed: str, out: Path) -> list[Done]:
    code = _ended("attack", str(inputs), seed, out)
    findings = list(read(out)) if (out / "findings").exists() else []
    if code:
        return [Done("server", 0, 0.0, [*findings, _ending("server", code, out)])]
    told = json.loads((out / "told").read_text())
    done = {name: [each for each in findings if each["part"] == name] for name in told}
    return [Done(f"server: {name}", told[name][0], told[name][1], done[name]) for name in told]


def _ended(module: str, *arguments: str | Path) -> int:
    """Run a module of these in a process of its own, and keep what it says."""
    out = Path(arguments[-1])
    out.mkdir(parents=True)
    with (out / "said").open("wb") as said:
        return subprocess.run(
            [sys.executable, "-m", f"tests.faults.hostile.{module}", *map(str, arguments)],
            stdout=said,
            stderr=said,
            check=False,
            timeout=_PATIENCE_S,
        ).returncode


def _ending(part: str, code: int, out: Path) -> dict[str, Any]:
    said = "\n".join((out / "said").read_text(errors="replace").splitlines()[-15:])
    return {"part": part, "found": f"the process ended with {code}: {said}", "input": "", "saved": ""}


def _table(done: Sequence[Done]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("part", "inputs", "inputs/s", "findings"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    for each in sorted(done, key=lambda each: (each.part.startswith("server"), each.part)):
        rate = each.inputs / each.seconds if each.seconds else 0
        table.add_row(each.part, f"{each.inputs:,}", f"{rate:,.0f}", str(len(each.findings)))
    return table


if __name__ == "__main__":
    sys.exit(main())
