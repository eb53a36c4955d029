"""What `dal load` cannot carry out is one line and exit code 2, and nothing was begun."""

import pytest

from tests.command import Command


@pytest.fixture(scope="module")
def dal(read_only_url, tmp_path_factory):
    command = Command(read_only_url, tmp_path_factory.mktemp("usage"))
    command.accounts("a.csv", 1)
    command.accounts("b.tsv", 2, delimiter="\t")
    (command.folder / "c.parquet").write_bytes(b"")
    (command.folder / "d.ndjson").write_bytes(b"{}")
    return command


USAGE = {
    "no table": ("load a.csv", "Missing option '--table'."),
    "a command that is none": ("laod a.csv", "No such command 'laod'. Did you mean 'load'?"),
    "an option that is none": ("load a.csv --table x --on-confict skip", "No such option: --on-confict"),
    "a choice that is none": ("load a.csv --table x --on-conflict merge", "'merge' is not one of"),
    "no such file": ("load no.csv --table x", "there is no file no.csv."),
    "no such pattern": ("load no*.csv --table x", "no file is named like no*.csv."),
    "two kinds": ("load a.csv c.parquet --table x", "a.csv is csv and c.parquet is parquet: load files of one kind"),
    "standard input and more": ("load - a.csv --table x", "the standard input is loaded alone"),
    "another database": ("load a.csv --table x --url mysql://u:sesame@h/d", "not 'mysql'"),
    "no url": ("load a.csv --table x --url sesame", "this is not a database URL"),
    "a table that is none": ("load a.csv --table acount", "there is no table 'acount'. Did you mean --table account?"),
    "a folded name": ("load a.csv --table Account", "Did you mean --table account?"),
    "a table with its schema": ("load a.csv --table public.account", "Did you mean --table account?"),
    "a schema that is none": (
        "load a.csv --table account --schema x",
        "no table 'account' in schema 'x'. Did you mean",
    ),
    "a key that is none": ("load a.csv --table account --on-conflict skip --key ident", "lacks"),
    "an update that is none": (
        "load a.csv --table account --on-conflict update --update balanc",
        "--update names 'balanc', which table 'account' lacks. Did you mean 'balance'?",
    ),
    "a new name that is none": ("load a.csv --table account --rename x=y", "--rename names 'y', which table"),
    "a rename that is none": ("load a.csv --table x --rename ab", "--rename is 'ab'"),
    "a rename twice": ("load a.csv --table x --rename a=b --rename a=c", "--rename is given 2 times for 'a'"),
    "an update without one": ("load a.csv --table x --update a", "--update names columns for --on-conflict update"),
    "a key without one": ("load a.csv --table x --key a", "--key is for --on-conflict skip"),
    "rejects that abort": ("load a.csv --table x --on-error abort --max-rejects 1", "for --on-error reject, not abort"),
    "rejects as Parquet": ("load a.csv --table x --rejects bad.parquet", "give a name that ends in .csv"),
    "rejects nowhere": ("load a.csv --table x --rejects no/bad.csv", "there is no folder no"),
    "rejects over the source": ("load a.csv --table x --rejects ./a.csv", "would overwrite a.csv"),
    "names and a header": ("load a.csv --table x --columns a,b", "--no-header and --columns go together"),
    "neither": ("load a.csv --table x --no-header", "--no-header and --columns go together"),
    "quotes in JSON": ("load d.ndjson --table x --quote '", "--quote is for CSV and TSV, and this is ndjson"),
    "dates in Parquet": ("load c.parquet --table x --date a=%d", "--date is for text files, and this is Parquet"),
    "a date without format": ("load a.csv --table x --date a", "--date is 'a'"),
    "a delimiter of two": ("load a.csv --table x --delimiter ::", "delimiter is '::': give one ASCII character"),
    "no encoding": ("load a.csv --table x --encoding utf-9", "'utf-9' is no text encoding"),
    "a dry run in parts": ("load a.csv --table x --dry-run --resume y", "--dry-run rolls back at the end"),
    "a replacement in parts": (
        "load a.csv --table x --on-conflict replace --commit-every 5",
        "--on-conflict replace is one transaction",
    ),
    "no records at a time": ("load a.csv --table x --commit-every 0", "--commit-every"),
}


@pytest.mark.parametrize("case", USAGE)
def test_what_cannot_be_carried_out_is_one_line(dal, case):
    arguments, said = USAGE[case]
    done = dal(*arguments.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.startswith("dal: ")
    assert done.stderr.count("\n") == 1
    assert "sesame" not in done.stderr


def test_without_a_database_the_variable_is_named(dal):
    done = dal("load", "a.csv", "--table", "x", DAL_DATABASE_URL="")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "give --url, or set DAL_DATABASE_URL" in done.stderr


def test_a_tsv_is_not_taken_for_a_csv(dal):
    assert "a.csv is csv and b.tsv is tsv" in dal("load", "a.csv", "b.tsv", "--table", "x").stderr


def test_help_tells_the_exit_codes_and_no_password(dal):
    done = dal("load", "--help", DAL_DATABASE_URL="postgresql://u:sesame@h/d")
    assert done.returncode == 0
    for words in ("0  all is loaded", "1  the load failed", "2  the command", "3  loaded, but", "130  interrupted"):
        assert words in done.stdout
    assert "sesame" not in done.stdout


def test_help_alone_is_shown_to_who_says_nothing(dal):
    done = dal()
    assert (done.returncode, done.stderr) == (2, "")
    assert "load" in done.stdout
