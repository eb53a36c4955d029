"""Whatever Python's csv module writes, and wherever its lines are ragged, the same records come out."""

import csv as python_csv
import io

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dal.copy.text import Csv, inputs
from tests.copy_texts import csv

TEXTS = st.text(alphabet=st.sampled_from("ab \"',;|\t\n\r\\\ufeffé😀\x1e\u2028N"), max_size=8)
BLOCKS = st.sampled_from([1, 2, 3, 7, 16, 64, 1000, 1 << 20])


@st.composite
def files(draw):
    """Draw a file: its bytes, its form, and its records, of which the ragged are None."""
    delimiter = draw(st.sampled_from(",;\t|"))
    escape = draw(st.sampled_from([None, "\\"]))
    width = draw(st.integers(1, 4))
    # Where it does not quote, Python escapes; COPY does not.
    quoting = draw(st.sampled_from([python_csv.QUOTE_ALL, python_csv.QUOTE_MINIMAL])) if escape is None else 1
    options = {"delimiter": delimiter, "quotechar": draw(st.sampled_from("\"'")), "quoting": quoting}
    options |= {"doublequote": escape is None, "escapechar": escape}
    data, records = io.StringIO(newline=""), []
    for _ in range(draw(st.integers(0, 12))):
        size = width if draw(st.integers(0, 4)) else draw(st.integers(1, 6))
        record = draw(st.lists(TEXTS, min_size=size, max_size=size))
        # Python quotes what is in its own line's end.
        python_csv.writer(line := io.StringIO(newline=""), lineterminator="\r\n", **options).writerow(record)
        data.write(line.getvalue().removesuffix("\r\n") + draw(st.sampled_from(["\n", "\r\n"])))
        if width > 1 and draw(st.integers(0, 5)) == 0:
            data.write("\n")
        records.append(tuple(record) if size == width else None)
    form = Csv(delimiter, options["quotechar"], escape, [f"c{i}" for i in range(width)], ())
    text = data.getvalue()
    return (text.rstrip("\r\n") if draw(st.booleans()) else text).encode(), form, records


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files(), BLOCKS)
def test_records_and_their_numbers_are_those_that_were_written(monkeypatch, file, block_bytes):
    data, form, records = file
    monkeypatch.setattr(inputs, "BLOCK_BYTES", block_bytes)
    whole, broken = csv(b"\xef\xbb\xbf" + data, form)
    assert whole == {number: record for number, record in enumerate(records, 1) if record is not None}
    assert list(broken) == [number for number, record in enumerate(records, 1) if record is None]


MESS = st.text(alphabet='a,"\\\n\r', max_size=40)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MESS, st.integers(1, 3), BLOCKS)
def test_any_bytes_are_read_as_python_reads_them(monkeypatch, text, width, block_bytes):
    monkeypatch.setattr(inputs, "BLOCK_BYTES", block_bytes)
    whole, broken = csv(text.encode(), Csv(header=[f"c{i}" for i in range(width)], null=()))
    rows = [tuple(row) for row in python_csv.reader(io.StringIO(text, newline=""))]
    records = dict(enumerate([row or ("",) for row in rows if row or width == 1], 1))
    for number, one in broken.items():
        if one.reason.startswith("a quote"):
            assert number == max(records)
            del records[number]
        else:
            assert one.reason == f"{len(records.pop(number))} fields instead of {width}"
    assert whole == records


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MESS, st.integers(1, 3), BLOCKS)
def test_blocks_make_no_difference_where_there_is_an_escape(monkeypatch, text, width, block_bytes):
    form = Csv(header=[f"c{i}" for i in range(width)], escape="\\")
    monkeypatch.undo()
    in_one = csv(text.encode(), form)
    monkeypatch.setattr(inputs, "BLOCK_BYTES", block_bytes)
    assert csv(text.encode(), form) == in_one
