"""SELECTs compiled once, as the driver takes them: text, arguments in order, and what is done to each column's values.

The one module that uses SQLAlchemy's private compiler: cache keys, bind processors and result columns, held by a
contract test. With a SQLAlchemy that `IS_UNDERSTOOD` does not know, every statement is SQLAlchemy's own to send.
Refuses: sending anything.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import Any, Final, TypeAlias

from sqlalchemy import CompoundSelect, Engine, Select, TextClause, TextualSelect
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import Dialect
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlalchemy.sql.cache_key import CacheKey
from sqlalchemy.sql.compiler import WARN_LINTING, SQLCompiler
from sqlalchemy.types import TypeEngine
from sqlalchemy.util import LRUCache

from dal.errors import ProjectionError
from dal.projection.assembly import Processor

AnySelect: TypeAlias = Select[Any] | CompoundSelect[Any] | TextClause | TextualSelect

_ANY_DIALECT: Final[Dialect] = PGDialect_asyncpg()  # type: ignore[no-untyped-call] # SQLAlchemy's
IS_UNDERSTOOD: Final = (
    hasattr(SQLCompiler, "_process_parameters_for_postcompile")
    and hasattr(SQLCompiler, "_bind_processors")
    and hasattr(SQLCompiler, "post_compile_params")
    and hasattr(SQLCompiler, "literal_execute_params")
    and hasattr(TypeEngine, "_cached_result_processor")
    and hasattr(Select, "_generate_cache_key")
)
# As SQLAlchemy's own cache for an engine.
KEPT: Final = 500


class Compiled:
    """One SELECT in SQL. *processors* are known once it was prepared for the first time."""

    __slots__ = (
        "_asks_anew",
        "_binders",
        "_compiled",
        "_constants",
        "_dialect",
        "_names",
        "_types",
        "_varies",
        "columns",
        "described",
        "processors",
        "sql",
    )

    def __init__(self, compiled: Any, dialect: Dialect) -> None:
        self._compiled, self._dialect = compiled, dialect
        self.sql: str = compiled.string
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._binders: Mapping[str, Processor] = compiled._bind_processors
        self._types = [column.type for column in compiled._result_columns]
        # A list of values after IN makes another text for each length of it.
        self._varies = bool(compiled.post_compile_params or compiled.literal_execute_params)
        # A parameter may ask a function for its value, at each execution.
        self._asks_anew = any(bind.callable is not None for bind in compiled.binds.values())
        self._constants = self._own_values()
        self.processors: Sequence[Processor | None] | None = None
        # What the server calls its columns: of a text nobody else knows.
        self.columns: tuple[str, ...] = ()

        # What its sender knows of it.
        self.described: Any = None

    @property
    def width(self) -> int:
        """How many columns the statement itself says that it has."""
        return len(self._types)

    def learn(self, attributes: Sequence[Any]) -> None:
        """Learn what the server calls the columns and their types, on which SQLAlchemy's processors depend."""
        self.columns = tuple(each.name for each in attributes)
        found = [
            kind and kind._cached_result_processor(self._dialect, each.type.oid)
            for kind, each in zip(self._types_as_said(), attributes, strict=True)
        ]
        self.processors = found if any(found) else ()

    def _types_as_said(self) -> Sequence[Any]:
        """Give the type that the statement says of each column: a text says none, or by name, or of the first ones."""
        if not isinstance(self._compiled.statement, TextClause | TextualSelect):
            return self._types
        if self._compiled._textual_ordered_columns:
            return list(islice(chain(self._types, repeat(None)), len(self.columns)))
        said = {each.keyname: each.type for each in self._compiled._result_columns}
        return [said.get(name) for name in self.columns]

    def refuse_parameters(self, values: Mapping[str, Any], key: CacheKey | None) -> None:
        """Refuse values for parameters that the statement has not, and parameters that have none.

        Statements of the same *key* may differ in who has given a value already.
        """
        own = self._compiled.bind_names if key is None else key.bindparams
        binds = {bind.key: bind.required for bind in own}
        missing = [name for name, is_required in binds.items() if is_required and name not in values]
        unknown = [name for name in values if name not in binds]
        if missing or unknown:
            wrong = f"{', '.join(missing)} has no value" if missing else f"it has no parameter {', '.join(unknown)}"
            raise ProjectionError(
                f"the statement asks for {', '.join(binds) or 'no parameters'}, and {wrong}: give each by its name, as "
                "in parameters={'status': ...}."
            )

    def bind(self, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """Give the text and the arguments for *values* by name, beside those that the statement has by itself."""
        if self._varies:
            return self._expand(self._compiled.construct_params(values, escape_names=False, _no_postcompile=True))
        if len(values) == len(self._names):
            return self.sql, self._encode(values)
        constants = self._own_values() if self._asks_anew else self._constants
        return self.sql, self._encode({**constants, **values})

    def rebind(self, key: CacheKey, given: Mapping[str, Any] | None = None) -> tuple[str, list[Any]]:
        """Give the text and the arguments for a statement that differs from the compiled one only in its values."""
        values = self._compiled.construct_params(
            given,
            extracted_parameters=key.bindparams,
            escape_names=False,
            _no_postcompile=self._varies,
            _collected_params=key.params,
            _check=given is None,  # else by refuse_parameters
        )
        return self._expand(values) if self._varies else (self.sql, self._encode(values))

    def _own_values(self) -> Mapping[str, Any]:
        values: Mapping[str, Any] = self._compiled.construct_params(
            escape_names=False, _check=False, _no_postcompile=True
        )
        return values

    def _encode(self, values: Mapping[str, Any]) -> list[Any]:
        binders = self._binders
        if not binders:
            return [values[name] for name in self._names]
        return [binders[name](values[name]) if name in binders else values[name] for name in self._names]

    def _expand(self, values: dict[str, Any]) -> tuple[str, list[Any]]:
        state = self._compiled._process_parameters_for_postcompile(values)
        binders = state.processors
        bound = {**self._binders, **binders}
        names = state.positiontup or ()
        return state.statement, [
            bound[name](state.parameters[name]) if name in bound else state.parameters[name] for name in names
        ]


def asks_anew(statement: AnySelect) -> bool:
    """Tell whether a parameter of *statement* asks a function for its value at each execution."""
    compiled: Any = statement.compile(dialect=_ANY_DIALECT)
    return any(bind.callable is not None for bind in compiled.binds.values())


def criteria_of(statement: Any) -> tuple[Any, ...]:
    """Give what `with_loader_criteria` says of *statement*, which holds for collections too."""
    return tuple(option for option in statement._with_options if isinstance(option, LoaderCriteriaOption))


class Statements:
    """The statements of one engine, as many as `KEPT`: those that were used last."""

    def __init__(self, engine: Engine) -> None:
        self.hide_parameters = engine.hide_parameters
        self._dialect = engine.dialect
        self._kept: LRUCache[Hashable, Compiled] = LRUCache(KEPT)

    def fixed(self, name: Hashable, statement: Select[Any]) -> Compiled:
        """Give the *statement* that *name* always stands for."""
        found = self._kept.get(name)
        if found is None:
            self._kept[name] = found = Compiled(statement.compile(dialect=self._dialect), self._dialect)
        return found

    def asked(
        self, kind: Hashable, statement: Select[Any], project: Callable[[Select[Any]], Select[Any]]
    ) -> tuple[Compiled, str, list[Any]]:
        """Give *statement* as *project* makes it for this *kind*, compiled, with its own values."""
        key = statement._generate_cache_key()
        if key is None:
            found = self._compile(project(statement), None)
            return found, *found.bind({})
        kept = self._kept.get((kind, key.key))
        if kept is None:
            self._kept[kind, key.key] = kept = self._compile(project(statement), key)
        return kept, *kept.rebind(key)

    def given(self, statement: AnySelect, values: Mapping[str, Any]) -> tuple[Compiled, str, list[Any]]:
        """Give *statement* as it is, compiled, with its own values and those given by name."""
        key = statement._generate_cache_key()
        found = None if key is None else self._kept.get(key.key)
        if found is None:
            found = self._compile(statement, key)
        found.refuse_parameters(values, key)
        if key is None:
            return found, *found.bind(values)
        self._kept[key.key] = found
        return found, *found.rebind(key, values)

    def _compile(self, statement: AnySelect, key: CacheKey | None) -> Compiled:
        # With SQLAlchemy's warning of tables that nothing joins, unless the engine was told not to.
        linting = self._dialect.compiler_linting | WARN_LINTING
        return Compiled(statement.compile(dialect=self._dialect, cache_key=key, linting=linting), self._dialect)
