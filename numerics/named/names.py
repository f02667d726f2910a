"""``module:attribute``: the object that such a name means, and the name of an object."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from contextlib import suppress
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from epsrank.numerics.named.calls import user_code
from epsrank.numerics.named.places import folder
from epsrank.numerics.named.sources import Source
from epsrank.theory.errors import InputError

# Of modules that were imported by name: what they were made of then, and their spec, which a reload
# replaces.
_imported: dict[str, tuple[object, str]] = {}


def is_name(value: object) -> bool:
    """Tell whether a value is written as ``module:attribute``, and no path of Windows."""
    if not isinstance(value, str):
        return False
    module, mark, attribute = value.partition(":")
    return bool(mark) and all(
        part.isidentifier() for part in [*module.split("."), *attribute.split(".")]
    )


def check_name(spec: str, argument: str) -> tuple[str, str]:
    """Return module and attribute."""
    if not is_name(spec):
        raise InputError(argument, f"is {spec!r}", "write it as package.module:name")
    module, _, attribute = spec.partition(":")
    return module, attribute


def find(spec: str, *, argument: str, remedy: str = "name something in it") -> Any:
    """Import a module, from the user's folder first, and return what a name in it means."""
    module, attribute = check_name(spec, argument)
    found = module_of(spec, argument)
    try:
        return reduce(getattr, attribute.split("."), found)
    except AttributeError:
        raise InputError(argument, f"{module} has no {attribute}", remedy) from None


def module_of(spec: str, argument: str) -> ModuleType:
    """Import the module of a name."""
    return find_module(check_name(spec, argument)[0], argument=argument)


def find_module(name: str, *, argument: str) -> ModuleType:
    """Import a module of the user; anew, where its source has changed since it was imported."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise InputError(argument, f"is {name!r}", "write it as package.module, without .py")
    _forget_changed(name)
    missing = None
    with user_code(argument, f"{name} cannot be imported", "check the name and the code"):
        try:
            found = importlib.import_module(name)
        except ModuleNotFoundError as error:
            # Not one that it imports itself, in vain.
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            missing = error.name
    if missing is not None:
        raise InputError(
            argument,
            f"{name} cannot be imported (ModuleNotFoundError: no {missing} in {folder()}, "
            "and none is installed)",
            "call from the folder that it lies in, or name that folder in PYTHONPATH",
        )
    source = _source(found)
    if source is not None and name not in _imported:
        _imported[name] = (found.__spec__, source.digest())
    return found


def source_digest(spec: str, *, argument: str) -> str:
    """Return a hash of the source of ``module:attribute``: the same bytes, the same hash.

    It covers the module's file and, transitively, all that it imports from the folder that it
    comes from; of an installed package the module's file alone.
    """
    return module_digest(module_of(spec, argument), argument=argument)


def module_digest(module: ModuleType, *, argument: str) -> str:
    """Return that hash of a module."""
    source = _source(module)
    if source is None:
        raise InputError(
            argument,
            f"is {module.__name__!r}, which has no file",
            "name a module that lies in a file",
        )
    return source.digest()


def _source(module: ModuleType) -> Source | None:
    file = getattr(module, "__file__", None)
    return None if file is None else Source.of(module.__name__, Path(file).resolve())


def _forget_changed(name: str) -> None:
    """Drop a module whose source is another than when it was imported, or lies in another folder.

    Processes live long, as notebooks and workers of a cluster do, and what is computed has to be of
    the source that its hash says.
    """
    module, known = sys.modules.get(name), _imported.get(name)
    source = None if module is None else _source(module)
    if module is None or known is None or source is None or known[0] is not module.__spec__:
        _imported.pop(name, None)  # reloaded by the user, or imported for the first time
        return
    top = name.partition(".")[0]
    try:
        files = source.files() if source.file.is_file() else []
        if files and source.digest() == known[1] and _here(name) in (None, source.file):
            return
    except OSError:
        files = [source.file]
    del _imported[name]
    for other, loaded in list(sys.modules.items()):
        file = getattr(loaded, "__file__", None)
        near = other == top or other.startswith(f"{top}.")
        if near or (file is not None and Path(file).resolve() in files):
            del sys.modules[other]
            # Bytecode is known by seconds and size, and would outlive a change within both.
            with suppress(OSError, NotImplementedError, TypeError):
                os.unlink(importlib.util.cache_from_source(str(file)))
    importlib.invalidate_caches()


def _here(name: str) -> Path | None:
    """Return the file of a module in the user's folder; None where it lies elsewhere."""
    place = folder().joinpath(*name.split("."))
    files = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((file.resolve() for file in files if file.is_file()), None)


def name_of(value: Any, *, argument: str) -> str:
    """Return the ``module:attribute`` under which other processes find an object."""
    module = getattr(value, "__module__", None)
    path = getattr(value, "__qualname__", None)
    if not callable(value) or not isinstance(path, str):
        module, path = _place_of(value) or (None, None)
    what = path or f"a {type(value).__name__}"
    if module == "__main__" or (module is None and _place_in("__main__", value)):
        raise InputError(
            argument,
            f"is {what} of the running script, which other processes cannot import",
            "put it into a module, mine.py, and pass 'mine:name'",
        )
    spec = f"{module}:{path}"
    if module is not None and is_name(spec):
        with suppress(InputError):
            if find(spec, argument=argument) is value:
                return spec
    raise InputError(
        argument,
        f"is {what}, which no module has under a name",
        "give it a name in a module, mine.py, and pass 'mine:name'",
    )


def _place_of(value: Any) -> tuple[str, str] | None:
    """Return the module that has an object under a name of its own."""
    for module in list(sys.modules):
        name = None if module == "__main__" else _place_in(module, value)
        if name is not None:
            return module, name
    return None


def _place_in(module: str, value: Any) -> str | None:
    entries = getattr(sys.modules.get(module), "__dict__", {})
    return next((name for name, held in list(entries.items()) if held is value), None)
