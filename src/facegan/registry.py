"""The kinds of one thing that can be named: one list of them each, open to plug-ins.

    @METHODS.register
    class Mine(MethodConfig):
        kind: Literal["mine"]

From then on `kind = "mine"` is read in a recipe, is listed in help and errors, and is covered by
the tests that go through the list. A registry stands beside the base class of its kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from facegan.errors import FaceganError, UnknownKindError, nearest

if TYPE_CHECKING:
    from pydantic import BaseModel

T = TypeVar("T")
Model = TypeVar("Model", bound="BaseModel")

# The types of pydantic's findings that registries make, for whoever explains them.
UNKNOWN, UNSAID = "unknown_kind", "kind_unsaid"


class Registry(Mapping[str, T]):
    """Things by name. As the metadata of an annotation, it lets pydantic check such a name.

    `loss: Annotated[str, ADVERSARIAL]` takes a registered name, or the thing itself in Python.

    Args:
        what: they are, as errors say it: `loss`.
        entries: those that come with facegan.
    """

    def __init__(self, what: str, entries: Mapping[str, T] | None = None) -> None:
        self.what = what
        self._entries: dict[str, T] = dict(entries or {})

    def __getitem__(self, name: str) -> T:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    # Two registries are never the same one; typing asks for a hash of an annotation's metadata.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def add(self, name: str, thing: T) -> T:
        """Register a thing under a name, and return it.

        Raises:
            FaceganError: the name is another's. (The same thing again, from a file that is loaded
                twice, takes the place of the first.)
        """
        known = self._entries.get(name)
        if known is not None and known is not thing and _origin(known) != _origin(thing):
            raise FaceganError(
                f"There is a {self.what} called {name!r} already.", "Give yours another name."
            )
        self._entries[name] = thing
        return thing

    def named(self, name: str) -> Callable[[T], T]:
        """A decorator that registers what it stands before, under this name."""
        return lambda thing: self.add(name, thing)

    def remove(self, name: str) -> None:
        """Take a thing out again; of no use but to tests."""
        del self._entries[name]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import PydanticCustomError, core_schema

        def name_of(value: Any) -> str:
            if isinstance(value, str):
                name = value
            else:
                names = [name for name, thing in self._entries.items() if thing is value]
                name = names[0] if names else repr(value)
            if name not in self._entries:
                context = {"what": self.what, "got": name, "allowed": list(self._entries)}
                raise PydanticCustomError(UNKNOWN, "There is no {what} {got}", context)
            return name

        return core_schema.no_info_plain_validator_function(name_of)


class Kinds(Registry[type[Model]], Generic[Model]):
    """Sections of a recipe by their `kind`. As an annotation's metadata, a tagged union of them.

    `method: Annotated[MethodConfig, METHODS]` takes a table (a dict in Python) with the `kind`
    of a registered section, or such a section itself.

    Args:
        what: they are, as errors say it: `method`.
        default: the kind of a table that names none; None where each must.
    """

    def __init__(self, what: str, default: str | None = None) -> None:
        super().__init__(what)
        self.default = default

    def register(self, section: type[Model]) -> type[Model]:
        """Register a section under its `kind`: a class decorator.

        Raises:
            FaceganError: its `kind` is not a Literal of one name, or is another section's.
        """
        field = section.model_fields.get("kind")
        names: tuple[Any, ...] = getattr(field.annotation if field else None, "__args__", ())
        if len(names) != 1 or not isinstance(names[0], str):
            raise FaceganError(
                f"{section.__name__} does not say which kind of {self.what} it is.",
                f'Write kind: Literal["{section.__name__.lower()}"] in it.',
            )
        self.add(names[0], section)
        return section

    def of(self, table: Any) -> type[Model] | None:
        """The section that a table means by its `kind`; None if there is none."""
        kind = table.get("kind", self.default) if isinstance(table, Mapping) else None
        return self._entries.get(kind) if isinstance(kind, str) else None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import PydanticCustomError, core_schema, to_json

        def section_of(value: Any, info: Any) -> Any:
            context = {"what": self.what, "allowed": list(self._entries)}
            if type(value) in self._entries.values():
                return value
            if not isinstance(value, Mapping):
                if not hasattr(type(value), "model_fields"):
                    raise PydanticCustomError("model_type", "Input should be an object")
                got = {"got": type(value).__name__}
                raise PydanticCustomError(UNKNOWN, "There is no {what} {got}", context | got)
            kind = value.get("kind", self.default)
            if kind is None:
                raise PydanticCustomError(UNSAID, "It does not say which {what} it is", context)
            section = self.of(value)
            if section is None:
                got = {"got": str(kind)}
                raise PydanticCustomError(UNKNOWN, "There is no {what} {got}", context | got)
            if info.mode == "json":  # where a list stands for a tuple
                return section.model_validate_json(to_json(value))
            return section.model_validate(value)

        return core_schema.with_info_plain_validator_function(section_of)


def unknown_kind(
    message: str, name: str, allowed: Mapping[str, Any] | list[str]
) -> UnknownKindError:
    """The error for a name that nothing registered has.

    Args:
        message: what was met, and where.
        name: the name.
        allowed: the names that are registered.
    """
    known = nearest(name, allowed) if len(allowed) else "None is registered."
    return UnknownKindError(
        message,
        f"{known} If {name!r} comes with a plug-in, load that first: import it, or "
        "facegan.load_plugin.",
    )


def modules_of(section: BaseModel) -> set[str]:
    """The modules in which a section, those inside it, and what they name were written."""
    found = {type(section).__module__}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        for each in field.metadata:
            if isinstance(each, Registry) and isinstance(value, str):
                thing = each[value]
                found.add((thing[0] if isinstance(thing, tuple) else thing).__module__)
        for item in value if isinstance(value, tuple) else (value,):
            if hasattr(type(item), "model_fields"):
                found |= modules_of(item)
    return found


def _origin(thing: Any) -> object:
    """Where a class or function was written, the same for two loads of one file; else itself."""
    if not hasattr(thing, "__qualname__"):
        return id(thing)
    return (thing.__module__, thing.__qualname__)
