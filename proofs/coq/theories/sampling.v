(** * The ε-rank of a population from samples: the deterministic half (C4)

    G is the Gram matrix of the population, H that of a sample. The concentration of H about G in the
    relative form, which samples give with some probability, is a hypothesis here.
    - [relative_near g eta G H]   (1 − η)(G + γI) ≼ H + γI ≼ (1 + η)(G + γI), in the Loewner order. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From EpsRank Require Import form spectral rank.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** (1 − η)(G + γI) ≼ H + γI ≼ (1 + η)(G + γI). *)
Definition relative_near (R : rcfType) n (g eta : R) (G H : 'M[R]_n) : Prop :=
  forall x, (1 - eta) * (qf G x + g * sqn x) <= qf H x + g * sqn x
         /\ qf H x + g * sqn x <= (1 + eta) * (qf G x + g * sqn x).

Section Sampling.
Variables (R : rcfType) (n : nat) (G H : 'M[R]_n) (g eta : R).
Hypotheses (symG : symmetric G) (symH : symmetric H).
Hypotheses (eta_ge0 : 0 <= eta) (eta_lt1 : eta < 1).
Hypothesis near : relative_near g eta G H.
Implicit Type eps : R.

(** C4 with ridge γ: r_{ε + η(ε + γ)}(H) ≤ r_ε(G) ≤ r_{ε − η(ε + γ)}(H). *)
Theorem sample_rank eps :
  (epsrank H (eps + eta * (eps + g)) <= epsrank G eps)%N
  /\ (epsrank G eps <= epsrank H (eps - eta * (eps + g)))%N.
Proof.
have down : 0 < 1 - eta by rewrite subr_gt0.
have up : 0 < 1 + eta by rewrite (lt_le_trans ltr01) // ler_addl.
split; apply: (epsrank_transfer (A := 1%:M)) => // x x0 big; rewrite mulmx1; split=> //.
  have [_ le] := near x; rewrite -(ltr_pmul2l up) -(ltr_add2r ((1 + eta) * (g * sqn x))).
  rewrite -!mulrDr; apply: lt_le_trans le.
  rewrite (_ : (1 + eta) * _ = (eps + eta * (eps + g)) * sqn x + g * sqn x); last by ring.
  by rewrite ltr_add2r.
have [le _] := near x; rewrite -(ltr_add2r (g * sqn x)); apply: lt_le_trans le.
rewrite (_ : (eps - eta * (eps + g)) * sqn x + g * sqn x = (1 - eta) * (eps * sqn x + g * sqn x)).
  by rewrite ltr_pmul2l // ltr_add2r.
by ring.
Qed.

(** C4 with ridge γ = ε: r_{ε(1 + 2η)}(H) ≤ r_ε(G) ≤ r_{ε(1 − 2η)}(H). *)
Theorem sample_rank_ridge eps : g = eps ->
  (epsrank H (eps * (1 + 2%:R * eta)) <= epsrank G eps)%N
  /\ (epsrank G eps <= epsrank H (eps * (1 - 2%:R * eta)))%N.
Proof.
move=> gE; have := sample_rank eps; rewrite gE.
have -> : eps + eta * (eps + eps) = eps * (1 + 2%:R * eta) by ring.
by have -> : eps - eta * (eps + eps) = eps * (1 - 2%:R * eta) by ring.
Qed.

(** Beyond η = ½ the upper end says nothing: it is n. *)
Theorem sample_rank_vacuous eps : (forall x, 0 <= qf H x) -> 0 < eps -> 2%:R^-1 < eta ->
  epsrank H (eps * (1 - 2%:R * eta)) = n.
Proof.
move=> psdH eps0 half; apply/eqP; rewrite eqn_leq epsrank_leq //=.
rewrite -[X in (X <= _)%N](mxrank1 R n); apply: epsrank_max => // x _ x0.
apply: lt_le_trans (psdH x); rewrite pmulr_llt0 ?sqn_gt0 // pmulr_rlt0 //.
by rewrite subr_lt0 -ltr_pdivr_mull ?ltr0n // mulr1.
Qed.

End Sampling.
