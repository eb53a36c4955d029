"""What a URL may look like, and what it becomes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL

from dal.config import DatabaseConfig, parse_url
from dal.errors import ConfigError

# Libpq has more options than dal: each is refused by name, not handed on to fail inside the driver.
REFUSED = {
    "mysql://localhost/shop": "mysql",
    "postgresql+psycopg://localhost/shop": "postgresql+psycopg",
    "sqlite+aiosqlite:///shop.db": "sqlite+aiosqlite",
}
MALFORMED = ["", "shop", "localhost:5432", "postgresql://localhost:port/shop", "://x", "postgresql:/localhost/shop"]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_spelling_of_postgresql_means_asyncpg(scheme):
    assert parse_url(f"{scheme}://app@db:6432/shop").render_as_string() == "postgresql+asyncpg://app@db:6432/shop"


@pytest.mark.parametrize(("url", "driver"), REFUSED.items())
def test_another_driver_is_refused_by_name(url, driver):
    with pytest.raises(ConfigError, match=rf"through asyncpg, not '{driver.replace('+', '[+]')}'"):
        parse_url(url)


@pytest.mark.parametrize("url", MALFORMED)
def test_malformed_url_is_one_line_that_shows_the_shape(url):
    with pytest.raises(ConfigError, match=r"^this is not a database URL; expected postgresql://\S+\.$"):
        parse_url(url)


def test_sslmode_becomes_ssl():
    assert parse_url("postgres://db/shop?sslmode=require").query == {"ssl": "require"}


def test_options_that_asyncpg_knows_pass():
    options = {"host": "/run/pg", "port": "6432", "ssl": "disable", "target_session_attrs": "read-write"}
    assert parse_url(URL.create("postgresql", query=options)).query == options


def test_unknown_option_names_the_nearest():
    with pytest.raises(ConfigError, match=r"an option 'sslmod' that dal does not know\. Did you mean 'sslmode'\?$"):
        parse_url("postgresql://db/shop?sslmod=require")


def test_unknown_option_near_to_none_suggests_none():
    with pytest.raises(ConfigError, match=r"an option 'wibble' that dal does not know\.$"):
        parse_url("postgresql://db/shop?wibble=1")


def test_application_name_of_the_url_names_the_sessions():
    config = DatabaseConfig.from_url("postgresql://db/shop?application_name=checkout")
    assert (config.application_name, dict(config.url.query)) == ("checkout", {})


def test_a_config_made_by_hand_means_asyncpg_too():
    assert DatabaseConfig(url=URL.create("postgresql", host="db")).url.drivername == "postgresql+asyncpg"


def test_a_url_object_is_as_good_as_text():
    url = URL.create("postgres", username="app", password="p@ss/word", host="db", database="shop")
    assert parse_url(url) == url.set(drivername="postgresql+asyncpg")


@given(st.text())
def test_any_text_is_a_url_or_a_config_error(text):
    try:
        said = parse_url(text).drivername
    except ConfigError as error:
        said = str(error)
    assert said == "postgresql+asyncpg" or re.fullmatch(r"[^\n]+\.", said)
