"""Functions that are units of work: a decorator over `Database.run`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar, Unpack

from dal.database import Database
from dal.transaction import Retry, TransactionOptions
from dal.unit_of_work import UnitOfWork

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U", bound=UnitOfWork)

_Function = Callable[Concatenate[U, P], Awaitable[T]]
_Transactional = Callable[Concatenate[Database | U, P], Awaitable[T]]


def transactional(
    scope: type[U],
    *,
    retry: Retry = Retry(),  # noqa: B008 # a frozen value
    **options: Unpack[TransactionOptions],
) -> Callable[[_Function[U, P, T]], _Transactional[U, P, T]]:
    """Make a function of a unit of work one of a `Database`: it is run as by `Database.run`.

        @transactional(Shop, isolation="serializable")
        async def transfer(shop: Shop, source: int, target: int, amount: Decimal) -> None: ...

        await transfer(db, 1, 2, Decimal(10))

    Given a unit of work instead, it takes part in that one, whose options and retries hold.
    """

    def decorate(function: _Function[U, P, T]) -> _Transactional[U, P, T]:
        @wraps(function)
        async def transacted(source: Database | U, /, *args: P.args, **kwargs: P.kwargs) -> T:
            if isinstance(source, UnitOfWork):
                return await function(source, *args, **kwargs)

            async def once(unit: U) -> T:
                return await function(unit, *args, **kwargs)

            once.__qualname__ = getattr(function, "__qualname__", "?")  # by which an observer knows it
            return await source.run(once, scope, retry=retry, **options)  # type: ignore[misc] # mypy: Self of a type[U]

        return transacted

    return decorate
