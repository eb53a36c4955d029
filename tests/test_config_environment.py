"""A configuration from environment variables."""

import pytest

from dal import DatabaseConfig, PoolConfig
from dal.errors import ConfigError

URL = "postgres://app@db/shop"


def test_database_comes_from_its_variable():
    config = DatabaseConfig.from_env({"DAL_DATABASE_URL": URL})
    assert config == DatabaseConfig.from_url(URL)


@pytest.mark.parametrize("environ", [{}, {"DAL_DATABASE_URL": ""}])
def test_no_database_in_the_environment_names_the_variable(environ):
    with pytest.raises(ConfigError, match=r"^DAL_DATABASE_URL is not set: give it a URL such as \S+\.$"):
        DatabaseConfig.from_env(environ)


def test_pool_comes_with_the_database():
    config = DatabaseConfig.from_env({"DAL_DATABASE_URL": URL, "DAL_POOL_SIZE": "4"})
    assert config.pool == PoolConfig(size=4)


def test_every_field_of_the_pool_has_a_variable():
    given = {
        "DAL_POOL_SIZE": "2",
        "DAL_POOL_MAX_OVERFLOW": "1",
        "DAL_POOL_CHECKOUT_TIMEOUT_S": "0.5",
        "DAL_POOL_CONNECT_TIMEOUT_S": "1.5",
        "DAL_POOL_MAX_LIFETIME_S": "60",
    }
    assert PoolConfig.from_env(given) == PoolConfig(
        size=2, max_overflow=1, checkout_timeout_s=0.5, connect_timeout_s=1.5, max_lifetime_s=60
    )


def test_pool_of_an_empty_environment_is_the_default():
    assert PoolConfig.from_env({}) == PoolConfig()


@pytest.mark.parametrize("value", ["many", "", "2.5", "nan", "inf"])
def test_a_pool_size_that_is_no_whole_number_names_its_variable(value):
    with pytest.raises(ConfigError, match=r"^DAL_POOL_SIZE is "):
        PoolConfig.from_env({"DAL_POOL_SIZE": value})


def test_a_timeout_that_is_no_number_names_its_variable():
    with pytest.raises(ConfigError, match=r"^DAL_POOL_CHECKOUT_TIMEOUT_S is 'soon'; it must be a number\.$"):
        PoolConfig.from_env({"DAL_POOL_CHECKOUT_TIMEOUT_S": "soon"})
