"""Lazy loads in batches and logs of statements as services use them: mappings, sessions and tasks of many shapes."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest
from sqlalchemy import (
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    event,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    WriteOnlyMapped,
    configure_mappers,
    declarative_base,
    defer,
    deferred,
    lazyload,
    load_only,
    mapped_column,
    relationship,
)
from sqlalchemy.util.concurrency import await_

from dal import Database, Plan, Repository, UnitOfWork, lazy, load, orm
from dal.errors import NotLoaded, TooManyStatements
from dal.loading import siblings
from dal.loading.ways import runs_of
from dal.telemetry import StatementLog, hearing, max_statements
from dal.testing import assert_statements
from tests.looking import until_waiting_for_a_lock


class Base(orm.AwaitableAttrs, DeclarativeBase):
    metadata = MetaData()


class Tag(Base):
    __tablename__ = "service_tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    box_id: Mapped[int] = mapped_column(ForeignKey("service_box.id"))
    size: Mapped[int] = mapped_column(server_default="1")


class Box(Base):
    __tablename__ = "service_box"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(server_default="n")
    note: Mapped[str] = mapped_column(server_default="note")
    memo: Mapped[str] = mapped_column(server_default="memo", deferred=True)
    large: Mapped[str] = mapped_column(server_default="l", deferred=True, deferred_group="large")
    larger: Mapped[str] = mapped_column(server_default="l", deferred=True, deferred_group="large")
    tags: Mapped[list[Tag]] = relationship(order_by=Tag.id)
    strict_tags: Mapped[list[Tag]] = relationship(order_by=Tag.id, lazy="raise", viewonly=True)
    written: WriteOnlyMapped[Tag] = relationship(viewonly=False, overlaps="tags")
    dynamic: DynamicMapped[Tag] = relationship(viewonly=False, overlaps="tags,written")
    sizes = association_proxy("tags", "size")
    tag_count: Mapped[int] = deferred(
        select(func.count()).where(Tag.box_id == id).correlate_except(Tag).scalar_subquery()  # noqa: A003 # the column above
    )

    @hybrid_property
    def first_tag(self) -> Any:
        return self.tags[0]


class OtherBase(orm.AwaitableAttrs, DeclarativeBase):
    """A second registry, on the same MetaData."""

    metadata = Base.metadata


class Owner(OtherBase):
    __tablename__ = "service_owner"
    id: Mapped[int] = mapped_column(primary_key=True)
    boxes: Mapped[list[OwnedBox]] = relationship(lambda: OwnedBox, order_by=lambda: OwnedBox.id)


class ThirdBase(orm.AwaitableAttrs, DeclarativeBase):
    """A third one."""

    metadata = Base.metadata


class Leaf(ThirdBase):
    __tablename__ = "service_leaf"
    id: Mapped[int] = mapped_column(primary_key=True)
    box_id: Mapped[int] = mapped_column(ForeignKey("service_owned_box.id"))


class OwnedBox(ThirdBase):
    __tablename__ = "service_owned_box"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("service_owner.id"))
    leaves: Mapped[list[Leaf]] = relationship(order_by=Leaf.id)


class UnwatchedBase(orm.AwaitableAttrs, DeclarativeBase):
    metadata = Base.metadata


class Pin(UnwatchedBase):
    __tablename__ = "service_pin"
    id: Mapped[int] = mapped_column(primary_key=True)
    pad_id: Mapped[int] = mapped_column(ForeignKey("service_pad.id"))


class Pad(UnwatchedBase):
    __tablename__ = "service_pad"
    id: Mapped[int] = mapped_column(primary_key=True)
    pins: Mapped[list[Pin]] = relationship(order_by=Pin.id)


Plain: Any = declarative_base(metadata=Base.metadata)


class OldLeaf(Plain):  # type: ignore[misc]
    __tablename__ = "service_old_leaf"
    id = mapped_column(ForeignKey("service_old.id"), primary_key=True)


class Old(Plain):  # type: ignore[misc]
    __tablename__ = "service_old"
    __allow_unmapped__ = True
    id = mapped_column(Integer, primary_key=True)
    leaves = relationship(OldLeaf)


configure_mappers()


class Boxes(Repository[Box]):
    pass


class Owners(Repository[Owner]):
    pass


class Olds(Repository[Old]):
    pass


class Store(UnitOfWork):
    boxes: Boxes
    owners: Owners
    olds: Olds


@pytest.fixture
async def store(database_url):
    async with Database(database_url) as db:
        async with db.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            await connection.execute(insert(Box), [{"id": n} for n in range(1, 5)])
            await connection.execute(
                insert(Tag), [{"id": n, "box_id": (n - 1) % 4 + 1, "size": n} for n in range(1, 9)]
            )
            await connection.execute(insert(Owner), [{"id": 1}])
            await connection.execute(insert(OwnedBox), [{"id": n, "owner_id": 1} for n in range(1, 5)])
            await connection.execute(insert(Leaf), [{"id": n, "box_id": n} for n in range(1, 5)])
            await connection.execute(insert(Pad), [{"id": n} for n in range(1, 5)])
            await connection.execute(insert(Pin), [{"id": n, "pad_id": n} for n in range(1, 5)])
            await connection.execute(insert(Old), [{"id": n} for n in range(1, 5)])
        yield db


@pytest.fixture
def without_the_kits_log(monkeypatch):
    """Let nobody listen, as in production: the kit keeps a log of the whole process."""
    monkeypatch.setattr(hearing, "_hearers", hearing._Hearers())
    for name, listener in hearing._LISTENERS.items():
        event.remove(Engine, name, listener)
    yield
    for name, listener in hearing._LISTENERS.items():
        event.listen(Engine, name, listener, retval=name == "before_cursor_execute")


async def _tags(box):
    return len(await box.awaitable_attrs.tags)


async def test_a_log_that_begins_while_a_statement_of_another_task_runs_leaves_it_alone(
    store, outside, without_the_kits_log
):
    async def other():
        async with store.engine.connect() as connection:
            return (await connection.execute(text("SELECT pg_advisory_lock(4711)"))).all()

    await outside.execute("SELECT pg_advisory_lock(4711)")
    task = asyncio.create_task(other())
    await until_waiting_for_a_lock(outside)
    with StatementLog():
        await outside.execute("SELECT pg_advisory_unlock(4711)")
        await task


async def test_dal_load_honours_a_criterion_of_an_attribute_or_refuses_it(store):
    async with Store(store) as unit:
        boxes = await unit.boxes.list(order_by=Box.id)
        try:
            await load(boxes, Box.tags.and_(Tag.size > 4))
        except TypeError:
            return
        assert [tag.id for box in boxes for tag in box.tags] == [5, 6, 7, 8]


async def test_dal_load_of_a_plan_honours_the_criterion_that_options_honour(store):
    plan = Plan(Box.tags.and_(Tag.size > 4))
    async with Store(store) as unit:
        read = [tag.id for box in await unit.boxes.list(order_by=Box.id, options=plan) for tag in box.tags]
    async with Store(store) as unit:
        boxes = await unit.boxes.list(order_by=Box.id)
        await load(boxes, plan)
        assert [tag.id for box in boxes for tag in box.tags] == read == [5, 6, 7, 8]


@pytest.mark.parametrize("name", ["written", "dynamic"])
async def test_awaitable_attrs_gives_the_collection_after_something_was_added(store, name):
    async with Store(store) as unit:
        box = await unit.boxes.get_one(1)
        getattr(box, name).add(Tag(id=100))
        found = await getattr(box.awaitable_attrs, name)
        assert type(found) is type(getattr(box, name))


@pytest.mark.parametrize("how_many", [1, 2])
async def test_a_deferred_count_sees_what_was_added_as_it_does_for_one(store, how_many):
    async with Store(store) as unit:
        boxes = await unit.boxes.list(Box.id <= how_many, order_by=Box.id)
        unit.session.add(Tag(id=100, box_id=1))
        assert await boxes[0].awaitable_attrs.tag_count == 3


@pytest.mark.parametrize("mode", ["off", "batch"])
async def test_an_expired_count_sees_what_was_added_in_every_mode(store, mode):
    async with Database(store.config, lazy=mode) as db, Store(db) as unit:
        boxes = await unit.boxes.list(order_by=Box.id)
        for box in boxes:
            unit.session.expire(box)
        unit.session.add(Tag(id=100, box_id=1))
        await boxes[0].awaitable_attrs.name
        assert await boxes[0].awaitable_attrs.tag_count == 3


async def test_load_of_a_subset_keeps_the_rest_and_takes_the_criteria_of_their_options(store):
    async with Store(store) as unit:
        boxes = await unit.boxes.list(order_by=Box.id, options=[lazyload(Box.tags.and_(Tag.size > 4))])
        await load(boxes[:2], Box.tags)
        assert [tag.id for box in boxes for tag in await box.awaitable_attrs.tags] == [5, 6, 7, 8]


async def test_to_read_and_load_one_by_one_looks_at_few_of_a_session_for_each(store, outside, monkeypatch):
    await outside.execute("INSERT INTO service_box (id) SELECT n FROM generate_series(10, 309) n")
    await outside.execute(
        "INSERT INTO service_tag (id, box_id) "
        "SELECT n * 100 + m, n FROM generate_series(10, 309) n, generate_series(1, 30) m"
    )
    looks = []
    monkeypatch.setattr(siblings, "runs_of", lambda states: looks.append(len(states)) or runs_of(states))
    async with Store(store) as unit:
        kept = []
        for number in range(10, 310):
            kept.append(await unit.boxes.get_one(number))
            await kept[-1].awaitable_attrs.tags
        assert len(unit.session.sync_session.identity_map) == 300 * 31
    assert sum(looks) < 300 * 2_000


async def test_a_list_that_is_read_among_thousands_loads_together(store, outside):
    await outside.execute("INSERT INTO service_box (id) SELECT n FROM generate_series(10, 4009) n")
    async with Store(store) as unit:
        kept = await unit.boxes.list(Box.id > 10)
        await kept[0].awaitable_attrs.tags
        for number in range(1, 4):
            await (await unit.boxes.get_one(number)).awaitable_attrs.tags
        boxes = await unit.boxes.list(Box.id.in_([4, 10]))
        with assert_statements(1):
            for box in boxes:
                await box.awaitable_attrs.tags


async def test_columns_deferred_by_the_statement_load_together(store):
    async with Store(store) as unit:
        boxes = await unit.boxes.list(options=[load_only(Box.id)])
        with assert_statements(1):
            for box in boxes:
                await box.awaitable_attrs.name


async def test_columns_deferred_by_an_option_load_together(store):
    async with Store(store) as unit:
        boxes = await unit.boxes.list(options=[defer(Box.note)])
        with assert_statements(1):
            for box in boxes:
                await box.awaitable_attrs.note


async def test_what_lies_in_another_registry_loads_together_too(store):
    async with Store(store) as unit:
        owner = await unit.owners.get_one(1)
        boxes = await owner.awaitable_attrs.boxes
        with assert_statements(1):
            for box in boxes:
                await box.awaitable_attrs.leaves


async def test_what_only_the_session_of_a_unit_of_work_has_read_loads_together_too(store):
    async with Store(store) as unit:
        pads = (await unit.session.scalars(select(Pad))).all()
        with assert_statements(1):
            for pad in pads:
                await pad.awaitable_attrs.pins


async def test_a_relationship_that_is_added_after_a_read_loads_together(store):
    async with Store(store) as unit:
        await unit.boxes.list()
    if not hasattr(Box, "late_tags"):
        Box.late_tags = relationship(Tag, viewonly=True)
    async with Store(store) as unit:
        boxes = await unit.boxes.list()
        with assert_statements(1):
            for box in boxes:
                await box.awaitable_attrs.late_tags


async def test_columns_of_a_deferred_group_come_together_as_sqlalchemy_has_them(store):
    async with Store(store) as unit:
        boxes = await unit.boxes.list(order_by=Box.id)
        with assert_statements(1):
            for box in boxes:
                await box.awaitable_attrs.large
                await box.awaitable_attrs.larger


async def test_one_entity_may_load_again_after_it_was_expired_where_an_n_plus_one_raises(store):
    async with Database(store.config, lazy="raise_n_plus_one") as db, Store(db) as unit:
        boxes = await unit.boxes.list()
        await boxes[0].awaitable_attrs.tags
        unit.session.expire(boxes[0], ["tags"])
        assert len(await boxes[0].awaitable_attrs.tags) == 2


async def test_a_load_that_failed_may_be_tried_again_where_an_n_plus_one_raises(store):
    async with Database(store.config, lazy="raise_n_plus_one") as db, Store(db) as unit:
        boxes = await unit.boxes.list()
        with pytest.raises(TooManyStatements), max_statements(0):
            await boxes[0].awaitable_attrs.tags
        assert len(await boxes[0].awaitable_attrs.tags) == 2


async def test_an_entity_read_with_a_mode_for_an_attribute_can_be_pickled(store):
    async with Store(store) as unit:
        box = await unit.boxes.get_one(1, options=[lazy("raise", Box.tags)])
    assert pickle.loads(pickle.dumps(box)).name == "n"


@pytest.mark.parametrize("name", ["written", "dynamic"])
async def test_load_refuses_a_relationship_that_holds_no_entities_by_name(store, name):
    async with Store(store) as unit:
        boxes = await unit.boxes.list()
        with pytest.raises(TypeError, match=f"Box.{name}"):
            await load(boxes, getattr(Box, name))


async def test_a_plan_refuses_a_relationship_that_holds_no_entities(store):
    with pytest.raises(TypeError, match=r"Box\.written"):
        Plan(Box.written)


async def test_load_takes_an_entity_of_a_base_made_by_declarative_base(store):
    async with Store(store) as unit:
        old = await unit.olds.get_one(1)
        await load(old, Old.leaves)
        assert old.leaves == []


async def test_load_of_a_pending_entity_does_not_say_that_its_session_is_over(store):
    async with Store(store) as unit:
        box = Box(id=200)
        unit.session.add(box)
        with pytest.raises(NotLoaded) as raised:
            await load(box, Box.tags)
        unit.session.expunge(box)
    assert "is over" not in str(raised.value)


async def test_an_entity_with_its_session_open_that_was_expunged_is_not_told_that_its_session_is_over(store):
    async with Store(store) as unit:
        box = await unit.boxes.get_one(1)
        unit.session.expunge(box)
        with pytest.raises(NotLoaded) as raised:
            await box.awaitable_attrs.tags
    assert "is over" not in str(raised.value)


async def test_a_task_started_by_a_listener_of_a_load_may_load_too(store):
    async with Store(store) as unit:
        boxes = await unit.boxes.list(order_by=Box.id)

        @event.listens_for(unit.session.sync_session, "before_flush")
        def _load(session, *_):
            await_(asyncio.wait_for(_tags(boxes[0]), 3))

        boxes[1].name = "changed"
        assert await _tags(boxes[1]) == 2
