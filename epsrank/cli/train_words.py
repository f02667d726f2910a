"""The words of ``epsrank train``: what the shell offers, and networks in one word."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from epsrank.cli.naming import normal

_NET = re.compile(r"(?:(?P<network>[a-z]+):?)?(?:(?P<depth>\d+)x(?P<width>\d+))?")


def _words_for(name: str) -> dict[str, str]:
    """Return what an argument or option may be, with what each word means where that is known."""
    from epsrank.numerics.networks import ACTIVATIONS, INITIALISATIONS
    from epsrank.numerics.tasks import TASKS
    from epsrank.numerics.training.config import CHOICES

    if name == "task":
        return TASKS
    known: dict[str, Iterable[str]] = {
        **CHOICES, "activation": ACTIVATIONS, "init": INITIALISATIONS
    }  # fmt: skip
    return dict.fromkeys(known[name], "")


def offered(
    context: click.Context, param: click.Parameter, word: str
) -> list[CompletionItem]:  # fmt: skip
    """Return the words that the shell offers."""
    found = _words_for(str(param.name)).items()
    return [CompletionItem(name, help=told) for name, told in found if name.startswith(word)]


def parse_net(net: str) -> dict[str, Any]:
    """Read ``mlp:2x50``, ``resnet`` or ``4x25``, or the name of a user's factory."""
    from epsrank.numerics.named import is_name

    found = _NET.fullmatch(net.lower().replace("×", "x"))
    if found is None and is_name(net):
        return {"network": net}
    if not net or found is None:
        raise click.BadParameter(
            f"{net!r}; write it as mlp:2x50, or module:factory", param_hint="'--net'"
        )
    parts = {name: value for name, value in found.groupdict().items() if value is not None}
    return {name: int(value) if value.isdigit() else value for name, value in parts.items()}


def refuse_sizes(settings: dict[str, Any], net: str | None) -> None:
    """Refuse ``mlp:ax50`` and its like: a word of ours before the colon, and no such module."""
    for name in ("network", "activation", "task"):
        word, colon, _ = str(settings.get(name, "")).partition(":")
        if not colon or normal(word) not in _words_for(name) or _is_module(word):
            continue
        option, form = f"--{name}", f"write {normal(word)} alone"
        if name == "network":
            option, form = "--net", "write it as mlp:2x50"
            if net is None:
                option, form = "--network", f"write {normal(word)} alone, or --net mlp:2x50"
        option = "TASK" if name == "task" else option
        raise click.BadParameter(
            f"{settings[name]!r}; {form}, or module:name", param_hint=f"'{option}'"
        )


def _is_module(name: str) -> bool:
    """Tell whether the user has a module of this name."""
    from importlib.util import find_spec

    from epsrank.numerics.named.places import from_here

    with from_here():
        return find_spec(name) is not None
