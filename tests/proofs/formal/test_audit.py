"""The audit passes what is sound, and each planted fault is caught by name."""

from __future__ import annotations

import re

import pytest

from epsrank.proofs.formal import CoqError, compile_development
from epsrank.proofs.formal.audit import accept_statements, audit
from epsrank.proofs.formal.compilation import check_text
from epsrank.proofs.formal.declared import declared
from epsrank.proofs.formal.interrogate import read_answers, read_assumptions
from epsrank.proofs.formal.scan import audit_sources
from epsrank.proofs.formal.statements import parse_statements, read_statements
from epsrank.proofs.formal.toolchain import run_program
from epsrank.theory.errors import InputError

from .conftest import WANTED, change


def _faults(found):
    return "\n".join(map(str, found.faults))


def test_a_sound_development_passes(accepted, examine):
    found = examine(accepted)
    assert found.passed, str(found)
    assert set(found.theorems) == set(WANTED)
    zero = found.theorems["Small.top.twice_zero"]
    assert zero.assumptions == ()
    assert zero.words == "Zero doubled: the sentence above it takes two lines."
    assert (zero.file, zero.line) == ("theories/top.v", 8)
    assert "base.twice 0 = 0" in zero.statement
    assert all(found.problem(name) is None for name in WANTED)
    assert "3 theorems, closed under the global context" in str(found)
    # The definitions that the statements rest on are under review with them; the lemma is not.
    assert {"Small.base.twice", "Small.base.shifted"} <= set(found.printed)
    assert "Small.base.twice0" not in found.printed


def test_an_unfinished_proof_is_caught(accepted, examine):
    change(accepted, "theories/base.v", "Proof. reflexivity. Qed.", "Admitted.")
    found = examine(accepted)
    assert "theories/base.v, line 11: “Admitted”" in _faults(found)
    assert "Small.top.twice_zero assumes" in _faults(found)
    assert "base.twice0" in found.problem("Small.top.twice_zero") or "Admitted" in found.problem(
        "Small.top.twice_zero"
    )


def test_an_axiom_of_another_file_is_caught_without_reading_the_source(accepted, examine):
    # An axiom of Coq's own library: the scan has nothing to find.
    change(accepted, "theories/base.v", "(** Twice nothing",
           "Require Import Coq.Logic.Classical_Prop.\n(** Twice nothing")  # fmt: skip
    change(
        accepted,
        "theories/base.v",
        "Proof. reflexivity. Qed.",
        "Proof. destruct (classic (twice 0 = 0)) as [h | h]; [exact h | now destruct h]. Qed.",
    )
    assert audit_sources(accepted) == []
    found = examine(accepted)
    assert "Small.top.twice_zero assumes" in _faults(found)
    assert "classic" in found.problem("Small.top.twice_zero")
    assert found.problem("Small.top.same") is None


def test_an_unused_axiom_is_caught_too(accepted, examine):
    change(accepted, "theories/base.v", "(** Twice nothing", "Axiom ax : 1 = 2.\n(** Twice nothing")
    text = _faults(examine(accepted))
    assert "“Axiom” assumes" in text
    assert "theories/base.v: is assumed: base.ax" in text


def test_a_hypothesis_outside_a_section_is_caught(accepted, examine):
    change(
        accepted, "theories/top.v", "Section Facts.", "Hypothesis h : twice 0 = 0.\nSection Facts."
    )
    change(accepted, "theories/top.v", "exact twice0", "exact h")
    text = _faults(examine(accepted))
    assert "“Hypothesis” outside a section" in text
    assert "Small.top.twice_zero assumes" in text


def test_a_section_hypothesis_that_reaches_a_theorem_changes_its_statement(accepted, examine):
    change(accepted, "theories/top.v", "Variable n : nat.",
           "Variable n : nat.\nHypothesis h : twice 0 = 0.")  # fmt: skip
    change(accepted, "theories/top.v", "exact twice0", "exact h")
    found = examine(accepted)
    assert "-base.twice 0 = 0" in found.problem("Small.top.twice_zero")
    assert "+base.twice 0 = 0 -> base.twice 0 = 0" in found.problem("Small.top.twice_zero")
    assert found.problem("Small.top.same") is None


@pytest.mark.parametrize("off", ["Unset Guard Checking.\n", "#[bypass_check(guard)] "])
def test_a_switched_off_guard_is_caught(accepted, examine, off):
    change(accepted, "theories/base.v", "(** Twice nothing",
           f"{off}Fixpoint bad (n : nat) : False := bad n.\n(** Twice nothing")  # fmt: skip
    change(accepted, "theories/base.v", "Proof. reflexivity. Qed.", "Proof. destruct (bad 0). Qed.")
    text = _faults(examine(accepted))
    assert "switches a check of the kernel off" in text
    assert "Small.top.twice_zero assumes" in text
    assert "base.bad is assumed to be guarded." in text


def test_universes_switched_off_are_caught(accepted, examine):
    change(accepted, "theories/base.v", "(** Twice nothing",
           "Unset Universe Checking.\nDefinition big : (Type : Type) = Type := eq_refl.\n"
           "Set Universe Checking.\n(** Twice nothing")  # fmt: skip
    text = _faults(examine(accepted))
    assert "Universe Checking" in text
    assert "relies on an unsafe hierarchy" in text


@pytest.mark.parametrize(
    "words",
    [
        "-arg -type-in-type", "-arg -boot", "-arg -allow-sprop", "-arg -coqlib -arg /tmp",
        "-arg -rifrom -arg Evil -arg lib", "-arg -w", "-arg '-w none -noinit'",
        "-arg -w -arg -boot -arg x",
        "-Q other Small", "-R other Coq", "-I plugins", "-R ../theories Small", "-type-in-type",
    ],
)  # fmt: skip
def test_options_beyond_warnings_are_refused(small, words):
    change(small, "_CoqProject", "Small\n", f"Small\n{words}\n")
    with pytest.raises(InputError, match=r"_CoqProject|folder"):
        audit_sources(small)


@pytest.mark.parametrize(
    "file",
    ["theories/a. Axiom x : False. Require Small.b/x.v", "theories/(*/x.v", "theories/a-b.v",
     "theories/../base.v", "base.v", "theories/b\u0430se.v", "theories.v", "theories/.v"],
)  # fmt: skip
def test_names_of_files_are_names_and_nothing_else(small, file):
    # They become words of what Coq is asked.
    change(small, "_CoqProject", "theories/top.v", f"theories/top.v\n'{file}'")
    with pytest.raises(InputError, match="list files in theories/"):
        audit_sources(small)


def test_two_files_of_one_name_are_refused(small):
    # Coq prints base.none for both, and the index does not know what a tactic defines: a theorem
    # about the second one's unit was closed as a reviewed one about the first one's empty type.
    (small / "theories" / "x").mkdir()
    (small / "theories" / "x" / "base.v").write_text(
        "Definition d : Set := ltac:(transparent_abstract (exact unit) using none).\n"
    )
    change(small, "_CoqProject", "theories/top.v", "theories/x/base.v\ntheories/top.v")
    with pytest.raises(InputError, match=r"theories/base\.v and theories/x/base\.v"):
        audit_sources(small)


def test_nothing_of_the_user_reaches_coq(small, coq, tmp_path, monkeypatch):
    # A library that a user has: its notations and tactics could say anything.
    evil = tmp_path / "evil" / "coq" / "Evil"
    evil.mkdir(parents=True)
    (evil / "words.v").write_text("Definition twice (n : nat) := 0.\n")
    run_program([coq.coqc, "-q", "-R", ".", "Evil", "words.v"], "words.v", evil)
    assert (evil / "words.vo").is_file()
    for name in ("COQPATH", "XDG_DATA_HOME", "XDG_DATA_DIRS"):
        monkeypatch.setenv(name, str(evil.parent))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COQLIB", str(tmp_path))
    monkeypatch.setenv("OCAMLPATH", str(tmp_path))
    change(
        small, "theories/base.v", "(** * Numbers", "From Evil Require Import words.\n(** * Numbers"
    )
    with pytest.raises(CoqError, match="Evil"):
        compile_development(coq, folder=small)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "{0}Closed\n",
        "{0}Closed\n{1}",
        "{0}Closed\n{1}Closed\n{2}more\n",
        "before\n{0}Closed\n{1}Closed\n{2}",
        "{0}Closed\n{0}Closed\n{1}Closed\n{2}",
        "{1}Closed\n{0}Closed\n{2}",
        "{0}Closed\n {1}Closed\n{2}",
        "{0}Closed\n{1}Closed\n{2}{3}",
    ],
)
def test_answers_that_are_not_one_each_are_not_trusted(answer):
    marks = [f"No object of basename mark_ab_{number}\n" for number in range(4)]
    good = "{}Closed\n{}two\nlines\n{}".format(*marks[:3])
    assert read_answers(good, "mark_ab", 2) == ["Closed\n", "two\nlines\n"]
    with pytest.raises(CoqError):
        read_answers(answer.format(*marks), "mark_ab", 2)


# One of each command that declares, with what Coq's index makes of it.
KINDS = """
Definition a_def := 0. Example an_example := 1. Fixpoint a_fix (n : nat) : nat := n.
Lemma a_lemma : True. Proof. exact I. Qed.
Definition a_sealed : nat. Proof. exact 0. Qed.
Inductive an_ind : Set := i_one | i_two : nat -> an_ind with another := i_three.
Variant a_variant := v_one.
CoInductive a_stream := s_cons : nat -> a_stream -> a_stream.
CoFixpoint a_cofix : a_stream := s_cons 0 a_cofix.
Record a_record := r_make { r_field : nat; r_coercion :> nat }.
Structure a_structure := st_make { st_field : nat }.
Inductive an_inductive_record := { ir_field : nat }.
CoInductive a_coinductive_record := { cr_field : nat }.
Class a_class := { c_method : nat }. Class a_single := c_single : nat.
Instance an_instance : a_class := {| c_method := 0 |}.
Instance a_proved : a_single. Proof. exact 0. Defined.
Canonical Structure a_canonical := st_make 1.
Coercion a_coercion (b : a_variant) : nat := 0.
Local Definition a_local := 2.
#[local] Definition an_attribute := 3.
Let a_let := 4.
Section Inside. Variable v : nat. Definition in_section := v. End Inside.
Goal True. Proof. exact I. Qed.
"""


def test_every_command_that_declares_is_in_coqs_index(small, coq):
    (small / "theories/base.v").write_text(KINDS)
    (small / "theories/top.v").write_text("")
    compiled = compile_development(coq, folder=small)
    kinds = {item.name.removeprefix("Small.base."): item.kind for item in declared(compiled)}
    # Coq's own list; induction principles and constructors of records come with their types.
    said = check_text(
        compiled, "Require Small.base.\nSearch _ inside Small.base.", compiled.folder, "all"
    )
    there = set(re.findall(r"^base\.(\w+):", said, re.M))
    made = re.compile(r"\w+_(s?ind|rect?)(?<!an_ind)|Build_\w+|\w+_make")
    assert {name for name in there if not made.fullmatch(name)} == set(kinds)
    assert {kinds[name] for name in ("a_record", "a_structure", "a_class")} == {"record"}
    assert kinds["an_inductive_record"] == kinds["a_coinductive_record"] == "record"
    assert {kinds["an_ind"], kinds["a_variant"], kinds["a_stream"]} == {"inductive"}
    assert {kinds["r_coercion"], kinds["c_method"], kinds["cr_field"]} == {"projection"}
    assert {kinds["a_lemma"], kinds["i_two"]} == {"proof", "constructor"}
    others = ("a_sealed", "a_cofix", "a_proved", "a_canonical", "a_coercion", "a_let", "in_section")
    assert {kinds[name] for name in others} == {"definition"}


def test_a_file_that_is_not_listed_is_caught(accepted, examine):
    (accepted / "theories" / "stray.v").write_text("Definition x := 0.\n")
    assert "theories/stray.v: is not in _CoqProject" in _faults(examine(accepted))
    (accepted / "theories" / "stray.v").unlink()
    assert examine(accepted).passed


def test_a_listed_file_that_is_not_there_is_caught(accepted):
    change(accepted, "_CoqProject", "theories/top.v", "theories/top.v\ntheories/gone.v")
    assert "theories/gone.v: is in _CoqProject but not on disk" in map(str, audit_sources(accepted))


def test_a_theorem_of_the_ledger_that_does_not_exist_is_caught(accepted, examine):
    found = examine(accepted, [*WANTED, "Small.top.nowhere"])
    assert "Small.top.nowhere is named in the ledger" in _faults(found)
    assert found.problem("Small.top.nowhere")
    assert found.problem("Small.top.same") is None


def test_a_changed_statement_is_caught_and_shown(accepted, examine):
    change(accepted, "theories/top.v", "Theorem same : n = n.", "Theorem same : n + 0 = n + 0.")
    problem = examine(accepted).problem("Small.top.same")
    assert "-forall n : nat, n = n" in problem
    assert "+forall n : nat, n + 0 = n + 0" in problem


def test_a_changed_definition_is_caught(accepted, examine, coq):
    change(accepted, "theories/base.v", "n + n.", "n * 2.")
    found = examine(accepted)
    assert "Small.base.twice: is not as reviewed" in _faults(found)
    assert found.problem("Small.top.twice_zero") is not None
    accept_statements(compile_development(coq, folder=accepted), WANTED, accepted)
    assert examine(accepted).passed


def test_a_change_that_the_notation_hides_is_caught(accepted, examine):
    change(accepted, "theories/top.v", "k := 1", "k := 7")
    problem = examine(accepted).problem("Small.top.shifted_same")
    assert "its full form differs" in problem


def test_a_definition_that_is_only_hidden_from_tactics_is_under_review(accepted, coq):
    # As a lemma it would be taken by its type alone, whatever its value.
    change(accepted, "theories/base.v", "(** Twice nothing",
           "Lemma value : nat. Proof. exact 0. Defined. #[global] Opaque value.\n"
           "(** Twice nothing")  # fmt: skip
    change(accepted, "theories/top.v", "same : n = n", "same : value = value")
    accept_statements(compile_development(coq, folder=accepted), WANTED, accepted)
    reviewed = read_statements(accepted)["Small.base.value"]
    assert (reviewed.kind, reviewed.text.split()[:3]) == ("Definition", ["base.value", "=", "0"])


@pytest.mark.parametrize("hidden", [False, True, "by a number"])
def test_a_source_that_runs_programs_is_not_compiled(small, coq, tmp_path, hidden):
    # The library lies beside MathComp; its programs have the shell.
    query = f'Elpi Query lp:{{{{ system "touch {tmp_path}/ran" R }}}}.'
    if hidden == "by a number":
        query = f'Timeout 2Redirect "{tmp_path}/ran" Print nat.'
    elif hidden:
        # In a comment, to who does not know that the notation makes a token of “#(”.
        query = f'Notation "x #( * y" := (x + y). Definition a := 1 #(* 2.\n{query} (* *)'
    change(small, "theories/base.v", "(** * Numbers",
           f"From elpi Require Import elpi.\n{query}\n(** * Numbers")  # fmt: skip
    with pytest.raises(CoqError, match=r"line 2: (“Elpi” is not|.* begins a comment|'2Red)"):
        compile_development(coq, folder=small)
    assert not list(tmp_path.glob("ran*"))


def test_what_was_compiled_is_what_is_read(accepted, coq):
    compiled = compile_development(coq, folder=accepted)
    change(accepted, "theories/top.v", "(** A number is itself", "(** A number  is itself")
    found = audit(compiled, WANTED, folder=accepted, second=False)
    assert "theories/top.v: is not what was compiled" in _faults(found)


def test_statements_that_nobody_reviewed_or_names_are_caught(small, examine, accepted):
    found = examine(accepted, WANTED[:1])
    assert "Small.top.same is in statements.txt, but no theorem" in _faults(found)
    (accepted / "statements.txt").unlink()
    assert "nobody has reviewed it" in _faults(examine(accepted))


def test_a_damaged_file_of_statements_is_refused(accepted):
    text = (accepted / "statements.txt").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="is damaged at line"):
        parse_statements(text + "Theorem without a digest\n")
    with pytest.raises(InputError, match="is damaged at line"):
        parse_statements(text + text)
    assert parse_statements(text) == read_statements(accepted)


def test_what_coq_prints_about_assumptions_is_read():
    assert read_assumptions("Closed under the global context\n") == ()
    assert read_assumptions("Axioms:\nax : 1 = 2\nfun_ext\n  : forall x,\n    x = x\n") == (
        "ax : 1 = 2", "fun_ext : forall x, x = x",
    )  # fmt: skip
    assert read_assumptions("Section Variables:\nh\n: 1 = 2\n") == ("h : 1 = 2",)
    assert read_assumptions("") == ("Coq printed nothing about it",)
    assert read_assumptions("Axioms:\nClosed under the global context\n") != ()


def test_a_compile_error_has_file_line_and_words(small, coq):
    change(small, "theories/top.v", "exact twice0", "exact nothing_of_the_kind")
    with pytest.raises(CoqError) as caught:
        compile_development(coq, folder=small)
    assert caught.value.file == "theories/top.v"
    assert caught.value.line == 9
    assert str(caught.value).startswith("theories/top.v, line 9: The reference nothing_of_the_kind")
    assert "\n" not in str(caught.value)
