"""A password is shown by nothing that is printed."""

import pytest

from dal import Database, DatabaseConfig
from dal.config import parse_url
from dal.errors import ConfigError

PASSWORD = "hunter2"
URL = f"postgresql://app:{PASSWORD}@db/shop"
BROKEN = [
    f"mysql://app:{PASSWORD}@db/shop",
    f"postgresql://app:{PASSWORD}@db:port/shop",
    f"postgresql://app:{PASSWORD}@db/shop?nope=1",
    f"app:{PASSWORD}@db/shop",
    f"postgresql//app:{PASSWORD}@db/shop",
]


@pytest.mark.parametrize("url", BROKEN)
def test_password_is_in_no_config_error(url):
    with pytest.raises(ConfigError) as caught:
        parse_url(url)
    assert PASSWORD not in f"{caught.value} {caught.value!r}"


def test_password_is_not_in_the_repr_of_a_config():
    assert PASSWORD not in repr(DatabaseConfig.from_url(URL))


def test_password_is_not_in_the_text_of_a_config():
    assert PASSWORD not in f"{DatabaseConfig.from_url(URL)} {DatabaseConfig.from_url(URL).where}"


def test_password_is_not_in_the_repr_of_a_database():
    assert repr(Database(URL)) == "Database(app@db:5432/shop)"


def test_password_is_kept_for_the_connection():
    assert DatabaseConfig.from_url(URL).url.password == PASSWORD
