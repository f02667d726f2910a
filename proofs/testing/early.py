"""Returns of a check before it has asserted anything: such a case would pass for nothing."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import Any


def early_return(check: Callable[..., Any]) -> int | None:
    """Return the line of a ``return`` that nothing is asserted before; None where there is none."""
    try:
        lines, first = inspect.getsourcelines(check)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return None
    body = tree.body[0]
    if not isinstance(body, ast.FunctionDef):
        return None
    found = _first(body.body)
    return None if found is None else first + found - 1


def _first(statements: Sequence[ast.stmt]) -> int | None:
    """Return the line of the first return that is reached before an assertion."""
    for statement in statements:
        if _asserts(statement):
            return None
        if isinstance(statement, ast.Return):
            # What returns something is refused when it does, or has called what asserts.
            empty = statement.value is None or ast.unparse(statement.value) == "None"
            return statement.lineno if empty else None
        for part in ("body", "orelse", "handlers", "finalbody"):
            for inner in _blocks(getattr(statement, part, None)):
                line = _first(inner)
                if line is not None:
                    return line
        # A loop, or a branch that goes on, may have asserted something.
        if any(_asserts(inner) for inner in ast.walk(statement) if isinstance(inner, ast.stmt)):
            return None
    return None


def _blocks(part: Any) -> list[list[ast.stmt]]:
    if not isinstance(part, list):
        return []
    handlers = [one.body for one in part if isinstance(one, ast.ExceptHandler)]
    statements = [one for one in part if isinstance(one, ast.stmt)]
    return handlers + ([statements] if statements else [])


def _asserts(statement: ast.stmt) -> bool:
    """Whether a statement asserts: by itself, by raising, or by a call made for its effect."""
    if isinstance(statement, (ast.Assert, ast.Raise)):
        return True
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
