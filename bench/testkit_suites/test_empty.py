"""What pytest, pytest-asyncio and pytest-xdist take themselves."""


async def test_nothing(number: int) -> None:
    pass
