"""What goes into the message that opens a connection is one value, or is refused before anything is sent."""

import pytest
from sqlalchemy import URL, text

from dal import Database, DatabaseConfig, PoolConfig
from dal.errors import ConfigError

WHERE = "postgresql://user@localhost/database"


@pytest.mark.parametrize("hidden", ["\0role\0postgres", "\0search_path\0other", "\ud800"])
@pytest.mark.parametrize("setting", ["application_name", "value", "name"])
def test_a_setting_smuggles_in_no_other_one(setting, hidden):
    text = f"pa55{hidden}"
    given = {"application_name": text} if setting == "application_name" else {"server_settings": {"app.a": text}}
    if setting == "name":
        given = {"server_settings": {text: "a"}}
    with pytest.raises(ConfigError, match="has a NUL in it, or is no UTF-8"):
        DatabaseConfig(url=WHERE, **given)


@pytest.mark.parametrize("part", ["username", "password", "host", "database"])
@pytest.mark.parametrize("hidden", ["\0role\0postgres", "\ud800"])
def test_a_part_of_a_url_smuggles_in_no_setting(part, hidden):
    with pytest.raises(ConfigError, match="has a NUL in it, or is no UTF-8") as raised:
        Database(URL.create("postgresql", **{part: f"pa55{hidden}"}))
    assert "pa55" not in str(raised.value)


def test_a_url_that_spells_a_nul_is_refused():
    with pytest.raises(ConfigError, match="the URL's user has a NUL"):
        DatabaseConfig.from_url("postgresql://user%00role%00postgres@localhost/database")


def test_an_empty_name_would_end_the_settings():
    with pytest.raises(ConfigError, match="an empty name"):
        DatabaseConfig(url=WHERE, server_settings={"": "a", "app.a": "b"})


def test_a_setting_that_is_no_text_is_named():
    with pytest.raises(ConfigError, match=r"server_settings\['work_mem'\] is of type int; give a str"):
        DatabaseConfig(url=WHERE, server_settings={"work_mem": 4})


async def test_settings_that_are_all_that_a_server_takes_are_taken_and_a_byte_more_is_refused(database_url):
    def config(length):
        settings = {"app.a": "ß" * (length // 2) + "x" * (length % 2)}
        return DatabaseConfig(url=database_url, server_settings=settings, pool=PoolConfig(size=1))

    most = 9_900 - len("dal\0") - len("app.a\0\0")
    most -= sum(len(each) + 1 for each in (database_url.username, database_url.database))
    async with Database(config(most)) as db, db.reading() as session:
        assert len((await session.scalar(text("SHOW app.a"))).encode()) == most
    with pytest.raises(ConfigError, match=r"^server_settings take 9,901 bytes, with user, .*; the server takes 9,900 "):
        config(most + 1)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@localhost:65536/x",
        "postgresql://u@localhost/x?port=99999",
        "postgresql://u@localhost/x?port=" + "9" * 5000,
        "postgresql://u@/x?host=a:1&host=b:65536",
        URL.create("postgresql", host="a", port=-1),
    ],
)
def test_a_port_that_no_host_has_is_refused(url):
    with pytest.raises(ConfigError, match="port is not a number up to 65,535"):
        DatabaseConfig.from_url(url)


@pytest.mark.parametrize("query", ["host=a&host=b&port=1", "host=a:1&host=b", "host=a:&host=b:2"])
def test_hosts_and_ports_that_do_not_go_together_are_refused(query):
    with pytest.raises(ConfigError, match="hosts and ports do not go together"):
        DatabaseConfig.from_url(f"postgresql://u@/x?{query}")


def test_what_may_be_the_end_of_a_password_is_not_told_as_an_option():
    with pytest.raises(ConfigError) as raised:
        DatabaseConfig.from_url("postgresql://u:p@localhost/x?se:cret@other/y=1")
    assert "cret" not in str(raised.value)
