"""The corpus of texts: what somebody may type where a name or a value is expected."""

from __future__ import annotations

from typing import Final

# What each of them would do to the canaries, if it were ever taken for SQL.
INJECTIONS: Final = (
    "'; DROP TABLE vault.canary; --",
    '"; DROP TABLE vault.canary; --',
    "'); DELETE FROM vault.canary; --",
    '"); DELETE FROM vault.canary; --',
    "\\'; DELETE FROM vault.canary; --",
    "$$; DELETE FROM vault.canary; $$",
    "$a$; DELETE FROM vault.canary; $a$",
    "E'\\'; DELETE FROM vault.canary; --",
    "1; DELETE FROM vault.canary",
    "1) OR 1=1; DELETE FROM vault.canary; --",
    "' || (SELECT set_config('app.canary', 'sung', false)) || '",
    "\n\\.\nDELETE FROM vault.canary;\n",
    "*/; DELETE FROM vault.canary; /*",
    "--\nDELETE FROM vault.canary;",
    "'; ALTER ROLE dal_hostile_canary SUPERUSER; --",
    '"; ALTER ROLE dal_hostile_canary SUPERUSER; --',
    "'; ALTER SYSTEM SET work_mem = '1GB'; --",
    "x'; COPY vault.canary FROM PROGRAM 'true'; --",
    "id) FROM stdin; DELETE FROM vault.canary; --",
    "U&'\\0027; DELETE FROM vault.canary; --'",
    "%27%3B%20DELETE%20FROM%20vault.canary%3B--",
    "ʼ; DELETE FROM vault.canary; --",
    "＇； DELETE FROM vault.canary； --",  # look-alikes, which some encodings turn into quotes
    "\xbf'; DELETE FROM vault.canary; --",
)

FORMATS: Final = (
    "{}", "{0}", "{name}", "{0.__class__.__mro__}", "{", "}", "%s", "%", "%%", "%(name)s", "%n", "%d", "$1", "$2", "$0",
    "$99999999999999999999", ":name", "::", ":", "?", "??", "@p1", "&&", "#{x}", "${jndi:ldap://x}", "__[POSTCOMPILE_x]",
    "%(id_1)s", "[bracketed]", "(parens)", "a%(b)sc", "a:b(c)%d",
)  # fmt: skip

UNICODE: Final = (
    "", " ", "\t", "\n", "\r", "\r\n", "\0", "a\0b", "\x01", "\x1b[2J", "\x7f", "\x85", "\xa0", "\xad", "\u200b",
    "\u200e", "\u202e" + "evil", "\u2028", "\u2029", "\u2066x\u2069", "\ufeff", "\ufeffid", "\uffff", "\ufffd",
    "\ud800", "\udfff", "a\ud83d", "\ude00b", "\udc80", "😀", "👩‍👩‍👧‍👦", "e\u0301", "é", "ﬁ", "İ", "ı", "ß", "ſ", "K",
    "Z" + "\u0301" * 200, "\U0010ffff", "\U000e0001", "١٢٣", "１２３", "½", "²", "नमस्ते", "שלום", "ﷺ", "日本語", "ＳＥＬＥＣＴ",
)  # fmt: skip

NUMBERS: Final = (
    "0", "-0", "+1", "1", "-1", "00001", "1_000", "0x10", "1e1", "1e400", "1E-400", "-1e309", "NaN", "nan", "-nan", "inf",
    "-Infinity", "Infinity", "1.", ".1", "1,5", "1e", "--1", "9" * 20, "9" * 400, "9" * 5000, "1." + "0" * 2000, "1e999999999",
    "2147483647", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "65535", "65536", "99999", "4294967296", "1e308", "5e-324",
)  # fmt: skip

MOMENTS: Final = (
    "2024-02-30", "0000-00-00", "0001-01-01", "9999-12-31T23:59:60Z", "10000-01-01", "infinity", "-infinity", "epoch",
    "now", "2024-01-01T00:00:00+99:99", "4713-01-01 BC", "294277-01-01", "24:00:00", "2024-W01-1", "today", "allballs",
)  # fmt: skip

JSON: Final = (
    "null", "true", "{}", "[]", '{"a": NaN}', '{"a": 1, "a": 2}', '"\\ud800"', '"\\u0000"', "[" * 3000, '{"a":' * 3000,
    "[" * 3000 + "]" * 3000, '{"id": 1e999}', '{"id": [1, {"a": "b"}]}', '{"id": "x"', "{'id': 1}", '{"": 1}', "\ufeff{}",
    '{"id": 123456789012345678901234567890}', '{"\\u0069d": 1}', '{"__proto__": 1}', "[1, [2, [3]], null]", '["a\\"b\\\\"]',
)  # fmt: skip

NAMES: Final = (
    "id", "ID", '"id"', "public.note", "a.b.c", ".", "..", "a.", ".a", "select", "order", "user", "table", "ctid", "xmin",
    "tableoid", "oid", "pg_catalog", "information_schema", "nAmE", "a b", 'a"b', "a'b", "a\\b", "a`b", "a;b", "a--b", "a/*b",
    "n" * 63, "n" * 64, "é" * 31, "é" * 32, "😀" * 16, "n" * 62 + "é", "n" * 10_000, "__class__", "__init__", "__dict__",
    "metadata", "registry", "self", "cls", "None", "True", "lambda", "dal_place_0", "dal", "count", "index", "keys", "items",
    "$user", "public", "-", "--", "-h", "--help", "--url=postgresql://x", "@file", "~", "~root", "/", "/etc/passwd", "../../x",
    "*", "?", "[", "[a-", "**", "a/**/b", "C:\\x", "CON", "nul", "%USERPROFILE%", "$HOME", "$(id)", "`id`", "|id", ">x",
)  # fmt: skip

DIALECTS: Final = (
    ",", ";", "|", "\t", '"', "'", "\\", ",,", "é", "a", "0", "^", "$", ".", "*", "[", "]", "(", "-", "\x1e", "\x1f",
    "utf-8", "utf-8-sig", "UTF8", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "utf-7", "shift_jis", "iso2022_jp", "hz",
    "idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "base64", "rot13", "zlib", "mbcs", "oem", "gb18030",
    "big5", "cp037", "%d.%m.%Y", "%Y", "%", "%Q", "%s", "%j", "%Z", "%z", "%y%y", "\\N", "NULL", "NA",
)  # fmt: skip

ADDRESSES: Final = (
    "postgresql://user:pa55-canary@localhost:5432/database", "postgres://localhost/db?sslmode=verify-full",
    "postgresql+asyncpg://u@/db?host=/tmp", "postgresql://u@h1:1,h2:2/db", "postgresql://u@/db?host=h1:1&host=h2:2",
    "postgresql://u@/db?host=a&host=b&port=1", "postgresql://u@[::1]:5432/x", "postgresql://[::1/x", "postgresql://u:p@h:p/x",
    "postgresql://u:pa55-canary@h:99999/x", "postgresql://u:pa55-canary@h:-1/x", "postgresql://h:٣٣/x", "postgresql://u@/?port=²",
    "postgresql://u@h/x?application_name=a&application_name=b", "postgresql://u@h/x?sslmod=require", "postgresql://u@h/x?sslmode=",
    "postgresql://u@h/x?sslmode=a&sslmode=b", "postgresql://u@h/x?target_session_attrs=primary", "mysql://u:pa55-canary@h/x",
    "postgresql://%00@h/x", "postgresql://u:%ff@h/x", "postgresql://u@h/%2e%2e", "postgresql:", "://", "postgresql://", "//h/x",
    "postgresql://u@h/x?host=%00", "postgresql://u@h/x#frag", "jdbc:postgresql://h/x", "postgresql://u@h:5432:5433/x",
    "container:", "container:../x", "embedded", "file:///etc/passwd", "postgresql://u@h/x?passfile=/etc/passwd&port=",
)  # fmt: skip

SQL: Final = (
    "SELECT 1", "SELECT 'pa55-canary'", "SELECT $$pa55-canary$$", "SELECT E'a\\'pa55-canary'", "/* /* */ */", "/*", "--", "'", '"',
    "$$", "$a$ $b$ $a$", "IN (", "IN (?, ?)", "VALUES (1), (2)", "VALUES ((", "ARRAY[1, 2]", "ARRAY[?::", "ALTER TABLE", "DROP TYPE",
    "CREATE TABLE (", "ALTER TABLE a RENAME TO", "ALTER TABLE a ADD", "ALTER TABLE a DROP", "ALTER TYPE a ADD VALUE", "CREATE INDEX ON",
    "ALTER TABLE a RENAME CONSTRAINT", "CREATE UNIQUE INDEX a ON b USING", "DROP TABLE a,,b", "CREATE TABLE a (,)", "U&'", 'U&"', "B'", "1e",
    "ALTER TABLE a ADD FOREIGN KEY (,", "::int", "?::numeric(1,2)", "ON CONFLICT", "COPY a FROM STDIN", "\\.", ";;;", ")", "((((",
)  # fmt: skip

WORDS: Final[tuple[str, ...]] = (
    *INJECTIONS, *FORMATS, *UNICODE, *NUMBERS, *MOMENTS, *JSON, *NAMES, *DIALECTS, *ADDRESSES, *SQL
)  # fmt: skip
