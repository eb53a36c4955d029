"""One pure part under a fuzzer that is guided by coverage, in a process of its own.

    python -m tests.faults.hostile.guided PART INPUTS SEED FOLDER

What is found is written to FOLDER: `count`, how many inputs were given, and `findings`, a JSON object a line. libFuzzer
leaves its own files there for an input that hangs, or takes all the memory.
"""

from __future__ import annotations

import mmap
import struct
import sys
from pathlib import Path
from typing import Any, Final

import atheris

HANGS_S: Final = 10
_RSS_MIB: Final = 2048
_LONGEST: Final = 300


def main(name: str, inputs: str, seed: str, folder: str) -> None:
    """Give the part so many inputs; does not return, as libFuzzer does not."""
    with atheris.instrument_imports(include=["dal"], enable_loader_override=False):
        from tests.faults.hostile.found import Findings
        from tests.faults.hostile.parts import PURE
    part, out = PURE[name], Path(folder)
    findings = Findings(name, out)
    corpus = out / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(part.seeds):
        (corpus / str(number)).write_bytes(each)
    count = _counter(out / "count")

    def give(data: bytes) -> None:
        struct.pack_into("q", count, 0, struct.unpack_from("q", count)[0] + 1)
        try:
            part.check(data)
        except Exception as error:  # whatever comes out is what is looked for
            findings.add(error, data)

    options = {
        "runs": inputs, "seed": seed, "timeout": HANGS_S, "rss_limit_mb": _RSS_MIB, "max_len": _LONGEST,
        "len_control": 0,
        "artifact_prefix": f"{out}/", "print_final_stats": 0, "verbosity": 0,
    }  # fmt: skip
    atheris.Setup([sys.argv[0], *(f"-{option}={value}" for option, value in options.items()), str(corpus)], give)
    atheris.Fuzz()


def _counter(path: Path) -> Any:
    """Count in a file: the process ends in libFuzzer, and tells nobody."""
    path.write_bytes(bytes(8))
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), 8)


if __name__ == "__main__":
    main(*sys.argv[1:])
