"""What `awaitable_attrs` gives of dal's declarative base: all that SQLAlchemy's does, and what is loaded at once."""

import pytest
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.util.concurrency import in_greenlet

from dal import orm
from dal.demo.models import Region
from dal.demo.repositories import Shop
from tests.models import Base


class Parcel(Base):
    __tablename__ = "awaited_parcel"

    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str | None]

    @property
    def may_load(self):
        return in_greenlet()


@pytest.fixture
def greenlets(monkeypatch):
    """Count the greenlets that awaiting an attribute begins."""
    begun = []
    spawn = orm.greenlet_spawn

    def counted(*arguments):
        begun.append(arguments)
        return spawn(*arguments)

    monkeypatch.setattr(orm, "greenlet_spawn", counted)
    return begun


async def test_what_is_loaded_is_given_without_a_greenlet(read_only, greenlets):
    async with Shop(read_only) as shop:
        region = await shop.regions.get_one(1)
        nations = await region.awaitable_attrs.nations
        assert len(greenlets) == 1
        assert await region.awaitable_attrs.nations is nations
        assert await region.awaitable_attrs.name == region.name
        assert len(greenlets) == 1


async def test_what_is_expired_is_read_again(read_only):
    async with Shop(read_only) as shop:
        region = await shop.regions.get_one(1)
        name = region.name
        shop.session.expire(region)
        assert await region.awaitable_attrs.name == name


async def test_an_awaitable_gives_what_there_is_when_it_is_awaited():
    region = Region(id=1, name="before")
    name = region.awaitable_attrs.name
    region.name = "after"
    assert await name == "after"


async def test_a_property_may_load(greenlets):
    assert await Parcel(id=1).awaitable_attrs.may_load
    assert len(greenlets) == 1


async def test_a_property_goes_before_what_else_has_its_name():
    parcel = Parcel(id=1)
    parcel.__dict__["may_load"] = "something else"
    assert await parcel.awaitable_attrs.may_load is True


async def test_what_a_class_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError, match="wings"):
        await Parcel(id=1).awaitable_attrs.wings
