"""The memory of loads of any size, each in a process of its own: `bench.copy_memory`."""

from __future__ import annotations

from bench.copy_bench import Bench, Contents
from bench.copy_rows import TABLE, write_parquet
from bench.memory import Resident, resident_of


async def resident(bench: Bench) -> None:
    """Load files, and tuples of a generator, of several sizes."""
    await bench.recreate(TABLE)
    found: dict[str, dict[int, Resident]] = {"parquet": {}, "tuples": {}}
    for rows in bench.size.resident:
        parquet = write_parquet(bench.folder / "resident.parquet", rows)
        due: Contents | None = None
        for kind, source in (("parquet", str(parquet)), ("tuples", str(rows))):
            await bench.empty(TABLE)
            url = bench.server.url.render_as_string(hide_password=False)
            found[kind][rows] = resident_of("bench.copy_memory", kind, source, url)
            held = await bench.contents(TABLE)
            if held.rows != rows or (due and held != due):
                raise SystemExit(f"{kind}: {TABLE} holds {held}, and {due or rows} is due")
            due = held
    for kind, sizes in found.items():
        _report(bench, kind, sizes)


def _report(bench: Bench, kind: str, sizes: dict[int, Resident]) -> None:
    above = {rows: each.peak_mib - each.start_mib for rows, each in sizes.items()}
    start = min(each.start_mib for each in sizes.values())
    bench.report.facts.setdefault("start_rss_mib", {})[kind] = round(start, 1)
    bench.report.beside(f"memory_{kind}_mib_above_start", {f"{rows:,}": each for rows, each in above.items()}, digits=1)
    most, least = max(above.values()), max(min(above.values()), 1.0)
    peaks = [each.peak_mib for each in sizes.values()]
    bench.report.ratio(f"memory_{kind}_peak_most_vs_least", max(peaks) / min(peaks), "1.2 or less")
    bench.report.ratio(f"memory_{kind}_above_start_most_vs_least", most / least, "none")
    bench.report.ratio(f"memory_{kind}_mib_above_start", most, "200 or less")
