"""The bounds of a pool's numbers."""

import dataclasses

import pytest

from dal import Database, DatabaseConfig, PoolConfig
from dal.errors import ConfigError

OUT_OF_BOUNDS = [
    ("size", 0),
    ("size", -1),
    ("max_overflow", -1),
    ("checkout_timeout_s", 0),
    ("connect_timeout_s", -0.1),
    ("max_lifetime_s", 0),
    ("checkout_timeout_s", float("nan")),
]


@pytest.mark.parametrize(("field", "value"), OUT_OF_BOUNDS)
def test_a_number_out_of_bounds_names_its_field_and_the_bound(field, value):
    with pytest.raises(ConfigError, match=rf"^PoolConfig\.{field} is {value}; it must be \w+ .*\.$"):
        PoolConfig(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"), [("size", 2.5), ("size", "10"), ("size", True), ("size", None), ("checkout_timeout_s", "5")]
)
def test_what_is_no_number_is_refused(field, value):
    with pytest.raises(ConfigError, match=rf"^PoolConfig\.{field} is .*; it must be a (whole )?number"):
        PoolConfig(**{field: value})


def test_overflow_counts_when_connections_are_shared_out():
    config = PoolConfig.for_processes(8, max_connections=100, max_overflow=2)
    assert 8 * (config.size + config.max_overflow) <= 97


@pytest.mark.parametrize(("field", "value"), [("size", 1), ("max_overflow", 0), ("checkout_timeout_s", 0.001)])
def test_the_bound_itself_is_allowed(field, value):
    assert getattr(PoolConfig(**{field: value}), field) == value


def test_a_configuration_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PoolConfig().size = 5


def test_a_pool_given_twice_is_refused():
    config = DatabaseConfig.from_url("postgresql://db/shop")
    with pytest.raises(ConfigError, match="given twice"):
        Database(config, pool=PoolConfig())
