"""Tests of migrations: ready ones, by `from dal.testing.migrations import *`, and what they are made of."""

from dal.testing.migrations.history import Migrations
from dal.testing.migrations.ready import (
    test_every_revision_goes_up_and_down_and_up_again,
    test_the_models_are_what_the_migrations_make,
    test_there_is_a_single_head,
)
from dal.testing.migrations.round_trips import assert_round_trips
from dal.testing.migrations.under_load import Load, upgraded_under_load

__all__ = [
    "Load",
    "Migrations",
    "assert_round_trips",
    "test_every_revision_goes_up_and_down_and_up_again",
    "test_the_models_are_what_the_migrations_make",
    "test_there_is_a_single_head",
    "upgraded_under_load",
]
