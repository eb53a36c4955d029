import pytest
from httpx import ASGITransport, AsyncClient

from library.app import create_app
from library.repositories import Library


@pytest.fixture
def app(database_url):
    return create_app(database_url)


@pytest.fixture
async def client(app):
    transport = ASGITransport(app)  # which does not start the app
    async with app.router.lifespan_context(app), AsyncClient(transport=transport, base_url="http://library") as client:
        yield client


@pytest.fixture(scope="session")
def unit_of_work_class():
    return Library
