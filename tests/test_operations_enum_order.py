"""Where values go that a model has and its enum type lacks."""

from hypothesis import given
from hypothesis import strategies as st

from dal.migrations.operations.enum_compare import additions

VALUES = st.lists(st.sampled_from("abcdefgh"), unique=True)


def _applied(there, wanted):
    result = list(there)
    for addition in additions((None, "mood"), wanted, there):
        place = len(result)
        if addition.before is not None:
            place = result.index(addition.before)
        if addition.after is not None:
            place = result.index(addition.after) + 1
        result.insert(place, addition.value)
    return result


@given(VALUES, VALUES)
def test_every_value_is_added_once_and_none_is_moved(there, wanted):
    result = _applied(there, wanted)
    assert sorted(result) == sorted({*there, *wanted})
    assert [value for value in result if value in there] == there


@given(VALUES, st.data())
def test_values_that_were_only_added_come_in_the_order_of_the_model(wanted, data):
    there = [value for value in wanted if data.draw(st.booleans())]
    assert _applied(there, wanted) == wanted
