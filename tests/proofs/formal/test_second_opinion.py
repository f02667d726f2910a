"""coqchk agrees with a sound development, and each fault in the compiled files is reported."""

from __future__ import annotations

import pytest

from epsrank.proofs.formal import compile_development
from epsrank.proofs.formal.second_opinion import disagreements, primitives, second_opinion

from .conftest import change

SAID = "\n".join(
    [
        "CONTEXT SUMMARY",
        "===============",
        "",
        "* Theory: Set is predicative",
        "  ",
        "* Axioms:",
        "    Coq.Numbers.Cyclic.Int63.PrimInt63.add",
        "  ",
        "* Constants/Inductives relying on type-in-type: <none>",
        "  ",
        "* Constants/Inductives relying on unsafe (co)fixpoints: <none>",
        "  ",
        "* Inductives whose positivity is assumed: <none>",
        "  ",
        "",
    ]
)


def said(small, coq):
    return "\n".join(map(str, second_opinion(compile_development(coq, folder=small))))


def test_a_sound_development_has_its_agreement(small, coq):
    assert said(small, coq) == ""


@pytest.mark.parametrize(
    ("planted", "words"),
    [
        ("Axiom ax : 1 = 2.", "finds Small.base.ax assumed"),
        ("Succeed Section S. Variable hidden : 1 = 2.", "finds Small.base.hidden assumed"),
        ("Class C := c : 1 = 2. Declare Instance i : C.", "finds Small.base.i assumed"),
        (
            "#[bypass_check(guard)] Fixpoint bad (n : nat) : False := bad n.",
            "unsafe (co)fixpoints: Small.base.bad”",
        ),
        (
            "Unset Universe Checking. Definition big : (Type : Type) = Type := eq_refl.",
            "type-in-type: Small.base.big",
        ),
    ],
)  # fmt: skip
def test_what_the_files_assume_is_found(small, coq, planted, words):
    change(small, "theories/base.v", "(** Twice nothing", f"{planted}\n(** Twice nothing")
    assert words in said(small, coq)


def test_a_damaged_file_is_refused(small, coq):
    compiled = compile_development(coq, folder=small, scratch=True)
    file = compiled.folder / "theories" / "top.vo"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    assert "refuses the compiled files" in str(second_opinion(compiled)[0])


def test_what_it_says_is_read_word_by_word():
    known = primitives()
    assert disagreements(SAID, known) == []
    assert disagreements(SAID.replace("PrimInt63.add", "PrimInt63.lemma"), known)
    assert disagreements(SAID.replace("predicative", "impredicative"), known)
    assert disagreements(SAID.replace("type-in-type: <none>", "type-in-type: big"), known)
    assert disagreements("", known)
    assert disagreements(SAID + "* Something new: <none>\n", known)
    # Every name is of Coq or MathComp, none of ours.
    assert {name.split(".")[0] for name in known} == {"Coq", "mathcomp"}
