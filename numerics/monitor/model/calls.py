"""Calls of modules, watched from outside of them.

Hooks live in the modules that they watch: whoever copies, pickles, scripts, wraps or compiles a
model while they are there takes them along. Here the call of all modules, `nn.Module.__call__`, is
replaced for as long as somebody watches (as ``torch.fx`` does while it traces), and a watch picks
its modules by identity. Nothing is written on any module, and compiled code never sees it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

#: What is to be done after a call: with its output, or with None and True if it raised.
After = Callable[[Any, bool], None]

#: ``watch(module, args, kwargs)`` is called before the call of a module.
Watch = Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], After | None]

_CALL: Callable[..., Any] = nn.Module.__call__

# Replaced and never changed, so that a call under way goes on with those that it began with.
_wanted: tuple[Watch, ...] = ()
# Those that are told: none while compiled code runs.
_watching: tuple[Watch, ...] = ()
_compiled_calls = 0
_lock = threading.Lock()

# Per thread, how many passes beside the training are under way.
_beside = threading.local()


def _watched_call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """Call a module, and tell those who watch."""
    after = [end for watch in _watching if (end := watch(self, args, kwargs)) is not None]
    # What was compiled runs as plain Python in a pass beside the training.
    compiled = has_compiled_call(self) and not beside_training()
    if not after and not compiled:
        return _CALL(self, *args, **kwargs)
    failed = True
    output = None
    try:
        if compiled:
            with _set_aside():
                output = _CALL(self, *args, **kwargs)
        else:
            output = _CALL(self, *args, **kwargs)
        failed = False
        return output
    finally:
        for end in reversed(after):
            end(output, failed)


def watch_calls(watch: Watch) -> Callable[[], None]:
    """Call a function before every call of every module, until what is returned is called."""
    global _wanted

    def stop() -> None:
        global _wanted
        with _lock:
            _wanted = tuple(other for other in _wanted if other is not watch)
            _renew()

    with _lock:
        _wanted = (*_wanted, watch)
        _renew()
    return stop


@contextmanager
def calls_beside_training() -> Iterator[None]:
    """Say of the calls in this context that they are made for measuring."""
    _beside.depth = getattr(_beside, "depth", 0) + 1
    try:
        yield
    finally:
        _beside.depth -= 1


def beside_training() -> bool:
    """Whether the call under way belongs to a pass that is made for measuring."""
    return getattr(_beside, "depth", 0) > 0


def has_compiled_call(module: nn.Module) -> bool:
    """Whether the call of a module runs compiled code."""
    return (
        type(module).__name__ == "OptimizedModule"
        or module.__dict__.get("_compiled_call_impl") is not None
    )


@contextmanager
def _set_aside() -> Iterator[None]:
    """Tell nobody while compiled code runs: it would be compiled anew with what it finds."""
    global _compiled_calls
    with _lock:
        _compiled_calls += 1
        _renew()
    try:
        yield
    finally:
        with _lock:
            _compiled_calls -= 1
            _renew()


def _renew() -> None:
    """Let the call of modules be what is wanted now."""
    global _watching
    _watching = () if _compiled_calls else _wanted
    # Others may have replaced the call since: they put ours back, which tells nobody anything then.
    current = vars(nn.Module)["__call__"]
    if _watching and current is _CALL:
        nn.Module.__call__ = _watched_call  # type: ignore[method-assign]
    elif not _watching and current is _watched_call:
        nn.Module.__call__ = _CALL  # type: ignore[method-assign]
