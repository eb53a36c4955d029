"""A resumable load survives whatever ends it; `tests.copy_kills` does it at length, with restarts of the server."""

import random

from tests.copy_kills import Kills, write


async def test_a_load_that_is_ended_again_and_again_is_whole_in_the_end(direct_url, faulty_network, tmp_path):
    file = tmp_path / "records.parquet"
    write(file, 200_000)
    kills = Kills(direct_url, faulty_network, file, 200_000, None, random.Random(7))
    await kills.run(2)
    assert kills.loads >= 1
