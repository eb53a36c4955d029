"""What was typed comes back on one line, and steers no terminal."""

import pytest

from tests.command import Command


@pytest.mark.parametrize("name", ["\x1b[2J", "a\x1eb", "a\u2028b", "a\nb", "\u202egnp"])
@pytest.mark.parametrize("command", ["load", "dump"])
def test_a_file_name_is_printed_and_not_obeyed(read_only_url, tmp_path, command, name):
    done = Command(read_only_url, tmp_path)(command, f"{name}.xyz", "--table", "account")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.rstrip("\n").isprintable()
