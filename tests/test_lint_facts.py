"""What the lint reads in SQL: tables, columns and indexes, whoever wrote it, and no error whatever it is."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dal.migrations.lint.facts import Did, Fact, dropped_name, facts, strings
from dal.migrations.lint.words import Word, in_parentheses, listed, statements


def _facts(sql):
    return [(each.did.name.lower(), each.table, *each.names) for each in facts(sql)]


READ = {
    "DROP TABLE IF EXISTS a, shop.b CASCADE": [("dropped_table", "a"), ("dropped_table", "shop.b")],
    "DROP TYPE public.mood": [("dropped_type", "mood")],
    "ALTER TABLE IF EXISTS ONLY t DROP COLUMN a, DROP b CASCADE, DROP CONSTRAINT IF EXISTS c": [
        ("dropped_column", "t", "a"),
        ("dropped_column", "t", "b"),
        ("dropped_constraint", "t", "c"),
    ],
    'ALTER TABLE "My"."T""x" DROP COLUMN "A b"': [("dropped_column", 'My.T"x', "A b")],
    "alter table T drop column A": [("dropped_column", "t", "a")],
    "ALTER TABLE t RENAME a TO b": [("made_column", "t", "b")],
    "ALTER TABLE s.t RENAME TO u": [("made_table", "s.u")],
    "ALTER TABLE t ADD a int": [("made_column", "t", "a")],
    "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int REFERENCES u (x) UNIQUE": [
        ("made_column", "t", "a"),
        ("referenced", "t", "a"),
        ("indexed", "t", "a"),
    ],
    "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a, b) REFERENCES u (x, y) NOT VALID": [
        ("made_constraint", "t", "c"),
        ("referenced", "t", "a", "b"),
    ],
    "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u": [("referenced", "t", "a")],
    "ALTER TABLE t ADD UNIQUE (a, b)": [("indexed", "t", "a", "b")],
    "ALTER TABLE t ALTER COLUMN a DROP DEFAULT": [],
    "CREATE UNLOGGED TABLE IF NOT EXISTS t (a int DEFAULT f(1, 2), CHECK (a IN (1, 2)), PRIMARY KEY (a))": [
        ("made_table", "t"),
        ("made_column", "t", "a"),
        ("indexed", "t", "a"),
    ],
    "CREATE TABLE t AS SELECT 1": [("made_table", "t")],
    "CREATE UNIQUE INDEX CONCURRENTLY i ON ONLY t USING btree (a DESC, lower(b), c)": [("indexed", "t", "a", "", "c")],
    "CREATE INDEX ON t (a) WHERE b": [("indexed", "t", "a")],
    "CREATE INDEX i ON t USING gin (a)": [],
    "CREATE TYPE mood AS ENUM ('a')": [("made_type", "mood")],
    "ALTER TYPE s.mood ADD VALUE IF NOT EXISTS 'it''s' BEFORE 'a'": [("added_value", "s.mood", "it's")],
    "SELECT 'DROP TABLE a'; /* DROP TABLE b; */ DROP TABLE c -- DROP TABLE d": [("dropped_table", "c")],
    "DO $x$ BEGIN DROP TABLE a; END $x$; DROP TABLE b": [("dropped_table", "b")],
    "ALTER TABLE t DROP": [],
    "ALTER TABLE": [],
}


@pytest.mark.parametrize("sql", READ)
def test_a_statement_is_read(sql):
    assert _facts(sql) == READ[sql]


@given(st.text(alphabet="ab \n'\"$(),.;-/*EeTABLEDROPADDCREATEINDEXON"))
def test_any_text_is_read_without_an_error(text):
    facts(text)


@given(
    st.lists(
        st.sampled_from(
            [
                "ALTER",
                "TABLE",
                "CREATE",
                "INDEX",
                "ON",
                "DROP",
                "ADD",
                "CONSTRAINT",
                "FOREIGN",
                "KEY",
                "(",
                ")",
                ",",
                ".",
                "t",
                "IF",
                "'v'",
                "TYPE",
                "VALUE",
            ]
        )
    )
)
def test_any_words_are_read_without_an_error(words):
    facts(" ".join(words))


@example('"a""')
@given(st.text(min_size=1).filter(lambda name: "\0" not in name))
def test_a_quoted_name_is_read_as_it_is(name):
    quoted = name.replace('"', '""')
    assert facts(f'DROP TABLE "{quoted}"') == [Fact(Did.DROPPED_TABLE, name)]
    assert dropped_name(f'DROP COLUMN IF EXISTS "{quoted}" CASCADE') == name


@example("'a''")
@given(st.text().filter(lambda text: "\0" not in text))
def test_a_literal_is_one_word_whatever_is_in_it(text):
    quoted = text.replace("'", "''")
    assert statements(f"SELECT '{quoted}'; SELECT 1") == [
        [Word("name", "select"), Word("string", text)],
        [Word("name", "select"), Word("sign", "1")],
    ]
    assert strings(f"UPDATE t SET a = '{quoted}'") == {text}


def test_what_is_in_parentheses_is_one_of_a_list():
    [words] = statements("a (b, (c, d)), e")
    assert [[word.text for word in each] for each in listed(words)] == [
        ["a", "(", "b", ",", "(", "c", ",", "d", ")", ")"],
        ["e"],
    ]
    assert [word.text for word in in_parentheses(words)] == ["b", ",", "(", "c", ",", "d", ")"]
