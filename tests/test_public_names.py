"""What `import dal` gives."""

import importlib
import inspect

import pytest

import dal

PACKAGES = [
    "dal",
    "dal.copy",
    "dal.errors",
    "dal.keyset",
    "dal.loading",
    "dal.locks",
    "dal.migrations",
    "dal.migrations.drift",
    "dal.migrations.lint",
    "dal.pool",
    "dal.projection",
    "dal.telemetry",
    "dal.testing",
    "dal.testing.migrations",
    "dal.transaction",
    "dal.write",
]


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_sorted(package):
    names = importlib.import_module(package).__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))  # constants first, as ruff does


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_complete(package):
    module = importlib.import_module(package)
    public = {name for name, value in vars(module).items() if name[0] != "_" and not inspect.ismodule(value)}
    assert public - {"extra_needed"} == set(module.__all__) - {"extra_needed"}


def test_the_first_names_an_application_imports():
    assert dal.__all__ == [
        "Attempt",
        "DALError",
        "Database",
        "DatabaseConfig",
        "Lazy",
        "Observer",
        "Outcome",
        "Plan",
        "PoolConfig",
        "Repository",
        "Retry",
        "UnitOfWork",
        "lazy",
        "load",
        "transactional",
        "tune_gc",
    ]
