"""Which mapped class a repository is for."""

import pytest

from dal import Repository
from dal.demo.models import Order
from dal.demo.repositories import Orders


def test_a_repository_without_a_model_is_a_type_error():
    with pytest.raises(TypeError, match="needs its mapped class"):
        Repository(None)


def test_a_repository_of_a_repository_keeps_its_model():
    class OpenOrders(Orders):
        """More methods for orders."""

    assert OpenOrders.model is Order


def test_a_model_set_by_hand_is_as_good():
    class Plain(Repository):
        """A repository without a type argument."""

        model = Order

    assert Plain(None).model is Order
