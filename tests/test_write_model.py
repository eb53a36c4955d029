"""upsert_many against a dictionary: any mixture of duplicates, NULLs, composite and partial keys, by each way."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import true

from dal.write import Upserted
from tests.write_models import Member, Members, Nick, Nicks, Seat, Seats

PROPERTY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _calls(row):
    return st.lists(st.lists(st.builds(dict, **row), min_size=1, max_size=8), min_size=1, max_size=3)


def _apply(model, free, rows, key):
    """Do to *model* what an upsert must; `key` gives None for what never conflicts. Count what is new."""
    last = {}
    inserted = 0
    for row in rows:
        if key(row) is None:
            free.append(row)
            inserted += 1
        else:
            last[key(row)] = row
    new = len(last.keys() - model.keys())
    model.update(last)
    return Upserted(inserted + new, len(last) - new)


def _sorted(rows):
    return sorted(map(repr, rows))


async def _check(repository, calls, on, key, names):
    """Run the calls one after another; after each of them the table must be the model."""
    await repository.delete_where(true())
    model, free = {}, []
    for rows in calls:
        expected = _apply(model, free, rows, key)
        assert await repository.upsert_many(rows, on=on) == expected
        found = [{name: getattr(each, name) for name in names} for each in await repository.list()]
        assert _sorted(found) == _sorted([{name: row[name] for name in names} for row in [*model.values(), *free]])


@PROPERTY
@given(calls=_calls({"row": st.sampled_from("ab"), "number": st.integers(0, 2), "guest": st.none() | st.text("xy")}))
async def test_composite_keys(tables, way, calls):
    await _check(Seats(tables), calls, (), lambda row: (row["row"], row["number"]), ["row", "number", "guest"])


@PROPERTY
@given(calls=_calls({"email": st.none() | st.sampled_from("abc"), "rank": st.integers(0, 9)}))
async def test_keys_with_null(tables, way, calls):
    await _check(Members(tables), calls, [Member.email], lambda row: row["email"], ["email", "rank"])


@PROPERTY
@given(calls=_calls({"nick": st.none() | st.sampled_from("abc"), "rank": st.integers(0, 9)}))
async def test_keys_in_which_null_is_a_value(tables, way, calls):
    await _check(Nicks(tables), calls, [Nick.nick], lambda row: (row["nick"],), ["nick", "rank"])


@PROPERTY
@given(
    calls=_calls(
        {"login": st.none() | st.sampled_from("ab"), "gone": st.none() | st.dates(), "rank": st.integers(0, 9)}
    )
)
async def test_partial_indexes(tables, way, calls):
    def key(row):
        return row["login"] if row["gone"] is None else None

    await _check(Members(tables), calls, "ix_member_login", key, ["login", "gone", "rank"])


@PROPERTY
@given(calls=_calls({"name": st.none() | st.sampled_from(["a", "A", "b"]), "rank": st.integers(0, 9)}))
async def test_indexes_by_expression(tables, way, calls):
    def key(row):
        return None if row["name"] is None else row["name"].lower()

    await _check(Members(tables), calls, "ix_member_name", key, ["rank"])


@PROPERTY
@given(
    rows=st.lists(st.builds(dict, row=st.sampled_from("ab"), number=st.integers(0, 3)), min_size=1, max_size=9),
    there=st.sets(st.tuples(st.sampled_from("ab"), st.integers(0, 3))),
)
async def test_rows_returned_are_those_written_in_their_order(tables, way, rows, there):
    await Seats(tables).delete_where(true())
    await Seats(tables).insert_many({"row": row, "number": number} for row, number in there)
    keys = [(row["row"], row["number"]) for row in rows]
    last = [key for place, key in enumerate(keys) if key not in keys[place + 1 :]]
    given_rows = [{**row, "guest": "x"} for row in rows]
    written = await Seats(tables).upsert_many(given_rows, returning=[Seat.row, Seat.number])
    assert [tuple(each) for each in written] == last
    written = await Seats(tables).upsert_many(given_rows, update=(), returning=[Seat.row])
    assert written == []
