"""What a source must not say is found, whatever comments and strings stand around it."""

from __future__ import annotations

import pytest

from epsrank.proofs.formal.scan import scan, sentences, strip_comments


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Theorem t : True. Proof. exact I. Qed.",
        "(* Admitted. *) Definition a := 0.",
        "(* a (* nested *) Axiom x : False. *) Definition a := 0.",
        '(* "*)" Axiom x : False. *) Definition a := 0.',
        'Definition s := "Admitted. Axiom ""x"" (* ".',
        "Section S. Variable x : nat. Hypothesis h : x = x. End S.",
        "Section S. Section T. Context (x : nat). End T. Variable y : nat. End S.",
        "Definition admitted_value := 0. Definition axiom := 1. Definition x' := 2.",
        "Lemma parameter_free : True. Proof. by []. Qed.",
        "Ltac t := idtac ... Definition b := 0.",
        "Notation \"'Axiom_of' x\" := x (at level 10).",
        'Notation "x (* y" := (x + y) (format "x  (* y"). (* a *)Definition b := 0.',
        "From Coq Require Import ZArith. From mathcomp.zify Require Import ssrZ.",
        "Require Import Coq.Logic.Classical_Prop. From EpsRank Require form.",
        "Lemma l : x.+1 = y.1. Proof. case: x => [|n]. - { by []. } - exact: Loader.load. Qed.",
        "Record r : Set := Make { f : Set -> Type }. Definition s (A : Set) (B : Set) := A.",
        "Set Implicit Arguments. Unset Strict Implicit. Declare Scope hexadecimal.",
    ],
)
def test_clean_sources_pass(text):
    assert scan(text) == []


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("Theorem t : False.\nProof.\nAdmitted.", 3, "Admitted"),
        ("Theorem t : False.\nProof. admit.\nQed.", 2, "admit"),
        ("Goal True. (* *) split; [ idtac | give_up ]. Qed.", 1, "give_up"),
        ("\n\nAxiom x : False.", 3, "Axiom"),
        ("#[local] Polymorphic Axiom x : False.", 1, "Axiom"),
        ("Parameter x : False.", 1, "Parameter"),
        ("Parameters x y : nat.", 1, "Parameters"),
        ("Conjecture c : 1 = 2.", 1, "Conjecture"),
        ("Primitive add := #int63_add.", 1, "Primitive"),
        ("Variable x : nat.", 1, "Variable"),
        ("Section S.\nVariable y : nat.\nEnd S.\nHypothesis h : 1 = 2.", 4, "Hypothesis"),
        ("Variables x : nat.", 1, "Variables"),
        # What stands in a functor or a module type is no term that Coq could be asked about.
        ("Module F (X : T).\nTheorem t : False. End F.", 1, "Module"),
        ("Module Type M. End M.", 1, "Module"),
        ("Include M.", 1, "Include"),
        ("Class C := c : False. Declare Instance i : C.", 1, "Declare Instance"),
        ("#[global]\n  Declare  Instance i : C.", 1, "Declare Instance"),
        # The section is undone, and the variable is an axiom.
        ("Succeed Section S.\nVariable x : False.", 1, "Succeed"),
        ("Fail Section S.\nVariable x : False.", 1, "Fail"),
        ("Rewrite Rule r := x => y.", 1, "Rewrite Rule"),
        ("Local Context (x : nat).", 1, "Context"),
        ("Unset Guard Checking.", 1, "Guard"),
        ("Local Unset\n  Universe Checking.", 1, "Universe"),
        ("#[global] Unset Positivity Checking.", 1, "Positivity"),
        ("#[bypass_check(guard)] Fixpoint f (n : nat) : False := f n.", 1, "bypass_check"),
        ('Declare ML Module "plugin".', 1, "Declare ML Module"),
        ("Declare Module M : T.", 1, "Declare Module"),
        ("Load other.", 1, "Load"),
        ("Admit Obligations.", 1, "Admit Obligations"),
        # What a plugin brings runs programs.
        ("From elpi Require Import elpi.", 1, "library elpi"),
        ("From Coq Require Import ZArith.\nRequire Import Ltac2.Ltac2.", 2, "Ltac2.Ltac2"),
        ("Elpi Command c.", 1, "Elpi"),
        ("Elpi\nAccumulate lp:{{ main _ :- system }}.", 1, "Elpi"),
        ('Redirect "a" Print x.', 1, "Redirect"),
        ('Print Universes "theories/form.glob".', 1, "Universes"),
        ('Extraction "theories/form.v" f.', 1, "Extraction"),
        ("Lemma l : True.\nProof. 1: { Load evil. exact I. } Qed.", 2, "Load"),
        ("Lemma l : True. Proof. { exact I.}Module M.", 1, "Module"),
        ("Lemma l : True.\nProof. 1: { Set Printing All. exact I. } Qed.", 2, "Set"),
        ("Lemma l : True.\nProof. [a']:{Opaque f. exact I. } Qed.", 2, "Opaque"),
        ("Lemma l : True.\nProof. [ a ] : { Set Printing All. exact I. } Qed.", 2, "Set"),
        ("Lemma l : True.\nProof. all: {Opaque f. exact I. } Qed.", 2, "Opaque"),
        # Export is a command that is allowed, of modules.
        ("Export Set Definitional UIP.", 1, "Set"),
        ("Definition a := 0. Export\n Unset  Primitive Projections.", 1, "Unset"),
        # Nobody has thought of these.
        ("Derive f SuchThat (f = 0) As h.", 1, "Derive"),
        ("#[global] Opaque f.", 1, "Opaque"),
        ("Set Universe Polymorphism.", 1, "Set"),
        ("#[export] Set Printing All.", 1, "Set"),
        # Coq's token is “#(”, and no comment begins.
        (
            'Notation "x #( * y" := (x + y).\nDefinition a := 1 #(* 2. Axiom x : False. *)',
            2,
            "blank",
        ),
        ('Notation "x #"" y" := (x + y).\nDefinition a := 1 #" 2. Axiom x : False. "', 2, "blank"),
        # A number ends where a letter begins.
        ('Timeout 2Load "other".', 1, "2Load"),
        ('Definition a := 0.\nTimeout 0x1_Redirect "a" Print a.', 2, "0x1_Redirect"),
        ("Timeout 1_Axiom x : False.", 1, "1_Axiom"),
        ('Timeout 2.5Load "other".', 1, "5Load"),
        # Letters and blanks that look like others.
        ("\ufeffDefinition a := 0.", 1, "ASCII"),
        ("Definition e := 0.\nDefinition \u0435 := 1.", 2, "ASCII"),
        ("Definition a := 0.\u00a0Definition b := 1.", 1, "ASCII"),
        ("Definition a\0 := 0.", 1, "ASCII"),
        ("Definition a := 0.\fDefinition b := 1.", 1, "ASCII"),
        # A proof that ends in an ellipsis hides nothing after it.
        ("Proof. auto ...\nVariable x : nat.", 2, "Variable"),
        ('Definition s := "(*". Axiom x : False. (* "*)" *)', 1, "Axiom"),
    ],
)
def test_faults_are_found_with_their_line(text, line, word):
    found = scan(text)
    assert found
    assert found[0].line == line
    assert word in found[0].problem


def test_comments_keep_lines_and_length():
    text = 'A (* b\n (* "*)" *)\n c *) D "e\n""f" G.'
    bare = strip_comments(text)
    assert len(bare) == len(text)
    assert bare.count("\n") == text.count("\n")
    assert bare.split() == ["A", "D", '"', '"', "G."]


def test_sentences_end_at_a_full_stop_before_white_space():
    text = "Import A.B. Check x.(f). Notation x := (y .. z).\nEnd C."
    assert [s for _, s in sentences(text)] == [
        "Import A.B", "Check x.(f)", "Notation x := (y .. z)", "End C",
    ]  # fmt: skip
