from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from dal.testing import assert_uses_index
from sqlalchemy import select

from library.models import Base, Loan


async def test_the_migrations_make_the_tables_of_the_models(session):
    def differences(connection):
        return compare_metadata(MigrationContext.configure(connection), Base.metadata)

    assert await (await session.connection()).run_sync(differences) == []


async def test_an_open_loan_is_found_by_its_index(db):
    open_loan = select(Loan).where(Loan.book_id == 1, Loan.returned_at.is_(None))
    await assert_uses_index(db, open_loan, "uq_loan_open")
