"""Authors, books and loans."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "author",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_author"),
    )
    op.create_table(
        "book",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("author_id", sa.Integer, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("isbn", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_book"),
        sa.ForeignKeyConstraint(["author_id"], ["author.id"], name="fk_book_author_id_author"),
        sa.UniqueConstraint("isbn", name="uq_book_isbn"),
    )
    op.create_index("ix_book_author_id", "book", ["author_id"])
    op.create_table(
        "loan",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("book_id", sa.Integer, nullable=False),
        sa.Column("borrower", sa.Text, nullable=False),
        sa.Column("lent_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("returned_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_loan"),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name="fk_loan_book_id_book"),
    )
    op.create_index("ix_loan_book_id", "loan", ["book_id"])


def downgrade() -> None:
    for table in ("loan", "book", "author"):
        op.drop_table(table)
