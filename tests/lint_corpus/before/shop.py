"""The shop as it was: more than its models have today."""

from __future__ import annotations

from alembic import op

revision = "shop"
down_revision = None

TABLES = """
CREATE TYPE order_status AS ENUM ('open', 'shipped');
CREATE TYPE old_status AS ENUM ('old');
CREATE TABLE customer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text,
    email text,
    phone text,
    code text
);
CREATE UNIQUE INDEX ix_customer_code ON customer (code);
CREATE INDEX ix_customer_name ON customer (name);
CREATE TABLE "order" (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer (id),
    status order_status NOT NULL DEFAULT 'open',
    note text,
    total numeric,
    due date,
    placed timestamptz,
    legacy text,
    CONSTRAINT ck_order_due CHECK (due > '2000-01-01'),
    CONSTRAINT ck_order_legacy CHECK (legacy <> '')
);
CREATE INDEX ix_order_customer_id ON "order" (customer_id);
CREATE TABLE line (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES "order" (id) ON DELETE CASCADE,
    price numeric
);
CREATE INDEX ix_line_order_id ON line (order_id);
CREATE TABLE ticket (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title text UNIQUE,
    customer_id bigint,
    opener_id bigint,
    agent_id bigint
);
CREATE INDEX ix_ticket_customer_id ON ticket (customer_id);
CREATE INDEX ix_ticket_opener_id ON ticket (opener_id);
CREATE TABLE ticket_tag (ticket_id bigint REFERENCES ticket (id), tag text, PRIMARY KEY (ticket_id, tag));
CREATE TABLE country (code text PRIMARY KEY, name text);
CREATE TABLE basket (id bigint PRIMARY KEY);
CREATE TABLE old_order (id bigint PRIMARY KEY);
"""


def upgrade() -> None:
    for statement in TABLES.split(";\n")[:-1]:
        op.execute(statement)
