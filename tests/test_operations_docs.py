"""What docs/migrations_operations.md says is run."""

import re

from tests.conftest import ROOT

DOC = ROOT / "docs" / "migrations_operations.md"
TABLES = """
    CREATE TYPE order_status AS ENUM ('open', 'done');
    CREATE TABLE customers (id bigint PRIMARY KEY);
    CREATE TABLE orders (
        id bigint PRIMARY KEY, customer_id bigint, paid_at date, total numeric, currency text, status order_status
    );
    INSERT INTO customers VALUES (1);
    INSERT INTO orders SELECT n, 1, NULL, n, NULL, 'open' FROM generate_series(1, 100) n
"""


def _functions(block):
    up, down = re.search(r"def upgrade\(\):\n(.*)\n\ndef downgrade\(\):\n(.*)", block, re.DOTALL).groups()
    return up, down


async def test_every_example_runs_up_down_and_up_again(world):
    await world.outside.execute(TABLES)
    examples = re.findall(r"```python\n(.*?)```", DOC.read_text(), re.DOTALL)
    for example in examples:
        world.add(*_functions(example))
    await world.up()
    for _ in examples:
        await world.down()
    await world.up()
    assert await world.at() == f"{len(examples):04}"
    assert await world.value("SELECT count(*) FROM pg_constraint WHERE NOT convalidated") == 0


def test_every_operation_is_in_the_table():
    rooms = (ROOT / "dal" / "migrations" / "operations").glob("*.py")
    registered = {name for room in rooms for name in re.findall(r'register_operation\("(\w+)"', room.read_text())}
    assert registered == set(re.findall(r"^\| `(\w+)`", DOC.read_text(), re.MULTILINE))
