"""Certificates as text that Coq reads."""

from __future__ import annotations

import contextlib
import re
import textwrap
from collections.abc import Iterable, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Decimal, localcontext
from fractions import Fraction

from epsrank.proofs.formal.integer_data import IntegerData
from epsrank.theory.errors import InputError

# Words of Coq and names of the development that a theorem must not shadow.
_WORDS = """
as at cofix else end exists exists2 fix for forall fun if in let match mod return Set Prop SProp
Type then using where with data target certificate eps phi scale total weights neurons basis cut
drop layer level outputs goal norm2 digits bound entries x R Z Q
"""
_TAKEN = frozenset(_WORDS.split())

HEADER = """\
From Coq Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From EpsRank Require Import {modules}.
{more}
Set Implicit Arguments.
Unset Strict Implicit.
Local Open Scope Z_scope.
"""


def identifier(name: str) -> str:
    """Check that a name can be a theorem's and a file's."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in _TAKEN:
        raise InputError(
            "name",
            f"is {name!r}, which cannot name a theorem",
            "use letters, digits and underscores, such as digits_2x30_rank",
        )
    return name


def sentence(text: str) -> str:
    """Return a comment, wrapped; comment marks inside it are broken up."""
    # Coq reads strings inside comments: a lone quotation mark would swallow the end.
    safe = text.replace("(*", "( *").replace("*)", "* )").replace('"', "'")
    lines = textwrap.wrap(safe, 94)
    return "(** " + "\n    ".join(lines) + " *)"


def decimal(value: Fraction, digits: int = 6) -> str:
    """Return a number in a few digits, also beyond the range of float64."""
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = digits + 10, MAX_EMAX, MIN_EMIN
        quotient = Decimal(value.numerator) / Decimal(value.denominator)
        return f"{quotient:.{digits}g}".replace("e+", "e")


def exact(value: Fraction) -> str:
    """Return a number such that it can be read back: the shortest float64, or a fraction."""
    with contextlib.suppress(OverflowError):
        if Fraction(float(value)) == value:
            return repr(float(value))
    return str(value)


def rational(value: Fraction) -> str:
    """Return a fraction of Coq's type Q."""
    return f"({value.numerator} # {value.denominator})"


def rows(values: Iterable[Iterable[int]]) -> str:
    """Return a list of lists of integers, as hexadecimal numerals, which Coq reads quickest."""
    listed = ";\n".join(f"[:: {_wrapped(map(hex, row))}]" for row in values)
    return f"(map (map Z.of_hex_int) [::\n{listed}\n]%hexadecimal)" if listed else "[::]"


def _wrapped(numerals: Iterable[str]) -> str:
    # A numeral that is broken would be two.
    return textwrap.fill("; ".join(numerals), 98, break_long_words=False, break_on_hyphens=False)


def booleans(values: Iterable[bool]) -> str:
    """Return a list of truth values."""
    return f"[:: {_wrapped('true' if value else 'false' for value in values)}]"


def measurement(data: IntegerData) -> str:
    """Return the definition of `data`, the measurement."""
    return (
        f"Definition data : measurement := Measurement {data.scale}%nat {data.total}%positive\n"
        f"  {_naturals(data.weights)}\n  {rows(data.neurons)}.\n"
    )


def _naturals(values: Sequence[int]) -> str:
    if len(set(values)) == 1:
        return f"(nseq {len(values)} {values[0]}%num)"
    return f"[:: {_wrapped(map(str, values))}]%num"


def theorem(name: str, statement: str, sound: str) -> str:
    """Return a theorem that a computation proves."""
    return (
        f"Theorem {name} : forall R : rcfType,\n  {statement}.\n"
        # The cast is checked by Qed, and so once: the computation takes all the time.
        f"Proof. move=> R; apply: {sound}; vm_cast_no_check (erefl true). Qed.\n"
    )


def question(name: str) -> str:
    """Ask what a theorem assumes."""
    return f"Print Assumptions {name}.\n"
