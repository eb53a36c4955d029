"""Which rules are on, which are off and why, and what dal has to write instead: one table for code and docs.

The SQL is judged by squawk; a rule of squawk that is not named here is as squawk has it.
"""

from __future__ import annotations

from typing import Final

from dal.migrations.lint.rendering import NOT_RENDERED

# Ours: what squawk cannot know, for it sees one text and neither the models nor the revision's file; or does not.
FOREIGN_KEY_WITHOUT_INDEX: Final = "foreign-key-without-index"
NOT_ATOMIC: Final = "not-atomic"
ENUM_VALUE_USED: Final = "enum-value-used"
LONG_LOCK: Final = "long-lock"
BAD_IGNORE: Final = "bad-ignore"
UNUSED_IGNORE: Final = "unused-ignore"  # squawk's, of its own comments, has this name too, and is never heard
OURS: Final = frozenset(
    {BAD_IGNORE, ENUM_VALUE_USED, FOREIGN_KEY_WITHOUT_INDEX, LONG_LOCK, NOT_ATOMIC, NOT_RENDERED, UNUSED_IGNORE}
)

_CHOICE: Final = "A choice of the model, not a danger of the migration."
_SAFE_WAY: Final = "It forbids what the safe way itself consists of."
_DELIBERATE: Final = "What it forbids is always said on purpose, and locks nothing for long."

# squawk has these on, and here they are off.
OFF: Final = {
    "ban-char-field": _CHOICE,
    "prefer-bigint-over-int": _CHOICE,
    "prefer-bigint-over-smallint": _CHOICE,
    "prefer-identity": _CHOICE,
    "prefer-text-field": _CHOICE,
    "prefer-timestamp-tz": _CHOICE,
    "require-enum-value-ordering": _CHOICE,
    "require-lock-timeout": "dal's runner sets it, and tries again: see docs/migrations.md.",
    "require-statement-timeout": "What is left on holds no lock for long, and the wait for one is bounded.",
}

# squawk leaves these to be asked for, and here they are on.
ON: Final = {
    "ban-alter-generated-expression": "It rewrites the table while nobody reads it.",
    "ban-alter-row-level-security": "Without a policy, no row is visible any more.",
    "ban-alter-sequence-values": "A number that is given twice is a key that is there already.",
    "ban-alter-system-options": "It changes the whole server, for all databases on it.",
    "ban-disable-trigger": "Foreign keys are triggers: what is written meanwhile is not checked.",
    "ban-revoke": "Services that still run lose what they may do.",
}

# squawk leaves these to be asked for, and here, too.
OPT_IN: Final = {
    "ban-add-column": _SAFE_WAY,
    "ban-add-composite-attribute": _SAFE_WAY,
    "ban-add-enum-value": _SAFE_WAY,
    "ban-alter-database-options": _DELIBERATE,
    "ban-alter-extension": _DELIBERATE,
    "ban-alter-function-options": _DELIBERATE,
    "ban-alter-policy-condition": _DELIBERATE,
    "ban-alter-policy-roles": _DELIBERATE,
    "ban-alter-role-options": _DELIBERATE,
    "ban-alter-view-options": _DELIBERATE,
    "ban-create-policy": _DELIBERATE,
    "ban-detach-inheritance": _SAFE_WAY,
    "ban-drop-index": _SAFE_WAY,
    "ban-drop-policy": _DELIBERATE,
    "ban-drop-trigger": _DELIBERATE,
    "ban-new-write-restriction": _SAFE_WAY,
    "ban-replace-view-function": _DELIBERATE,
    "ban-replica-identity": _DELIBERATE,
    "ban-set-default": _SAFE_WAY,
    "require-table-schema": _CHOICE,
    "require-timeout-settings": "squawk's old name for the two timeouts.",
}

# squawk finds these of one thing twice: the one on the left says nothing where one on the right has spoken.
SAID_BY: Final = {
    "constraint-missing-not-valid": frozenset(
        {"adding-foreign-key-constraint", "adding-serial-primary-key-field", "disallowed-unique-constraint"}
    ),
    "ban-alter-generated-expression": frozenset({"adding-field-with-default"}),
    "prefer-robust-stmts": frozenset({"ban-concurrent-index-creation-in-transaction"}),
}

_EXPAND: Final = (
    "In releases of their own: add the new one, write both, op.backfill, read the new one, and drop the old one when "
    "no replica that knows it runs."
)
_UNUSED_FIRST: Final = "First release the code without it; drop it when no replica that uses it runs."
_UNIQUE: Final = (
    "op.create_index_concurrently(..., unique=True) in a revision of its own; then op.execute('ALTER TABLE ... "
    "ADD CONSTRAINT ... {} USING INDEX ...')."
)

# What to write instead, where dal has an operation for it or a better word than squawk.
HELP: Final = {
    "adding-field-with-default": (
        "Add the column without the default, op.backfill it, and set the default for new rows."
    ),
    "adding-foreign-key-constraint": (
        "op.add_foreign_key_not_valid(...) here, and op.validate_constraint(...) in a revision of its own."
    ),
    "adding-not-nullable-field": "op.set_not_null_safely(table, column), in a revision of its own.",
    "adding-required-field": (
        "Give it a server_default; or add it nullable, op.backfill it, and op.set_not_null_safely(table, column)."
    ),
    "adding-serial-primary-key-field": _UNIQUE.format("PRIMARY KEY"),
    "ban-concurrent-index-creation-in-transaction": (
        "op.create_index_concurrently(...), or 'with op.get_context().autocommit_block():' around it, in a revision of "
        "its own."
    ),
    "ban-drop-column": _UNUSED_FIRST,
    "ban-drop-constraint": _UNUSED_FIRST,
    "ban-drop-table": _UNUSED_FIRST,
    "changing-column-type": _EXPAND,
    "constraint-missing-not-valid": (
        "op.add_check_not_valid(...) here, and op.validate_constraint(...) in a revision of its own."
    ),
    "disallowed-unique-constraint": _UNIQUE.format("UNIQUE"),
    "prefer-robust-stmts": (
        "It is in no transaction: after a failure, a second run meets what the first one left. Say IF [NOT] EXISTS; "
        "for an index, op.create_index_concurrently(...), which drops an invalid one that was left."
    ),
    "renaming-column": _EXPAND,
    "renaming-table": f"{_EXPAND} Or a view with the old name, in the same transaction.",
    "require-concurrent-index-creation": "op.create_index_concurrently(...), in a revision of its own.",
    "require-concurrent-index-deletion": "op.drop_index_concurrently(...), in a revision of its own.",
    "require-concurrent-partition-detach": (
        "op.execute('ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY') in an autocommit block, in a revision of its "
        "own."
    ),
    "require-concurrent-reindex": (
        "op.execute('REINDEX ... CONCURRENTLY ...') in an autocommit block, in a revision of its own."
    ),
    "transaction-nesting": "Alembic begins and commits: use 'with op.get_context().autocommit_block():'.",
}
