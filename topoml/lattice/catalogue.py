"""The models of topoml by their names."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from types import CodeType
from typing import Any

import numpy as np

from .._core.errors import InputError
from .._core.optional import require
from .model import Model

__all__ = ["known_model", "model_key", "models", "named_model", "parameters"]


def models() -> dict[str, Any]:
    """The classes of all models that `topoml.lattice` offers, by their ``name``.

    `CustomModel` is not among them: numbers and strings do not make one.
    """
    lattice = require("topoml.lattice")
    found: dict[str, Any] = {}
    for kind in map(vars(lattice).get, lattice.__all__):  # and nothing that loads on first use
        name = getattr(kind, "name", None)
        if dataclasses.is_dataclass(kind) and hasattr(kind, "sample") and isinstance(name, str):
            found[name] = kind
    del found[lattice.CustomModel.name]
    return found


def named_model(name: str, fields: Mapping[str, Any]) -> Model:
    """One of topoml's models with some of its parameters."""
    kinds = models()
    if name not in kinds:
        raise InputError(f"`model` is {name!r}; expected one of {', '.join(sorted(kinds))}.")
    known = [f.name for f in dataclasses.fields(kinds[name]) if f.init]
    for parameter in fields:
        if parameter not in known:
            raise InputError(
                f"`{parameter}` is no parameter of {name!r}; expected one of {', '.join(known)}."
            )
    try:
        model: Model = kinds[name](**fields)
    except TypeError as error:
        raise InputError(f"`model` is {name!r} with {dict(fields)}: {error}.") from error
    return model


def known_model(about: Mapping[str, Any], model: Model | None = None) -> Model | None:
    """The model of a store by its attributes: the one given, or topoml's, or None.

    Raises:
        InputError: The model given is not that of the store.
    """
    if model is not None:
        if (model.name, parameters(model)) != (about["model"], about["parameters"]):
            raise InputError(
                f"`model` is {model!r}; expected {about['model']!r} with {about['parameters']}, "
                "as the store has it. Give that, or leave it out if it is one of topoml's."
            )
        return model
    kind = models().get(about["model"])
    if kind is None or f"{kind.__module__}.{kind.__qualname__}" != about["type"]:
        return None
    found = {k: tuple(v) if isinstance(v, list) else v for k, v in about["parameters"].items()}
    return named_model(about["model"], found)


def parameters(model: Model) -> dict[str, Any]:
    """The fields of a model as JSON has them; of a function its name and a digest of its code.

    Raises:
        InputError: A model that is no dataclass, or has fields that JSON cannot hold.
    """
    if not dataclasses.is_dataclass(model):
        raise InputError(
            f"`model` is {model!r}, not a dataclass; expected one, whose fields a store records. "
            "Decorate its class: @dataclass(frozen=True)."
        )
    fields = {f.name: getattr(model, f.name) for f in dataclasses.fields(model) if f.init}
    fields = {k: _of_function(v) if callable(v) else v for k, v in fields.items()}
    try:
        found: dict[str, Any] = json.loads(json.dumps(fields, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"`model` is {model!r}, with fields that JSON cannot hold ({error}); expected numbers, "
            "strings and functions, which a store records. Use such fields."
        ) from error
    return found


def model_key(model: Model) -> tuple[int, ...]:
    """Four words of 32 bits for its name and parameters: the model's part of a random stream's key.

    Models that are equal have the same words: fields that take no part in the comparison are left
    out, and 1 counts as 1.0. A function goes by its name alone, as its code has no form that all
    processes agree on. What JSON cannot hold is left out, as is all of a class that is no
    dataclass.
    """
    found: dict[str, Any] = {}
    if dataclasses.is_dataclass(model):
        fields = [f.name for f in dataclasses.fields(model) if f.init and f.compare]
        found = {name: _plain(getattr(model, name)) for name in fields}
    text = json.dumps([model.name, found], sort_keys=True)
    digest = hashlib.sha256(text.encode()).digest()
    return tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))


def _plain(value: Any) -> Any:  # noqa: ANN401 - what JSON has
    """Equal values as the same text, in every process."""
    if callable(value):
        return _name(value)
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return value if isinstance(value, int | float | str) else None


def _of_function(function: Any) -> str:  # noqa: ANN401 - whatever can be called
    """Its name, and a digest of its code and of the values that it was made with."""
    digest = hashlib.sha256(_of_value(function, ()).encode()).hexdigest()[:16]
    return f"{_name(function)}, code {digest}"


def _of_value(value: Any, within: tuple[int, ...]) -> str:  # noqa: ANN401
    """A function's code, defaults, closure and, of `functools.partial`, arguments; data by value.

    What is global to it, and objects of other kinds, go by their names.
    """
    if id(value) in within:  # it refers to itself
        return "itself"
    inner = (*within, id(value))
    if isinstance(value, functools.partial):
        parts = [value.func, value.args, value.keywords]
        return repr([_of_value(part, inner) for part in parts])
    function = getattr(value, "py_func", value)
    code = getattr(function, "__code__", None)
    if code is not None:
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        parts = [function.__defaults__, function.__kwdefaults__, cells]
        return repr([_text(code), *(_of_value(part, inner) for part in parts)])
    if isinstance(value, list | tuple):
        return repr([_of_value(part, inner) for part in value])
    if isinstance(value, dict):
        return repr([(repr(k), _of_value(v, inner)) for k, v in value.items()])
    if isinstance(value, bool | int | float | complex | str | bytes | None):
        return repr(value)
    if hasattr(value, "__array__"):
        array = np.ascontiguousarray(value.detach().cpu() if hasattr(value, "detach") else value)
        if array.dtype.hasobject:
            return _name(value)
        return f"{array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"
    return _name(value)


def _name(function: Any) -> str:  # noqa: ANN401
    found: str = getattr(function, "__qualname__", type(function).__qualname__)
    return found


def _text(constant: Any) -> str:  # noqa: ANN401
    """Of code and of what it has for constants, the same in every process."""
    if isinstance(constant, CodeType):
        parts = [_text(x) for x in constant.co_consts]
        names = (constant.co_names, constant.co_varnames)
        return repr((constant.co_code.hex(), *names, parts))
    if isinstance(constant, frozenset):
        return repr(sorted(map(_text, constant)))
    return repr(constant)
