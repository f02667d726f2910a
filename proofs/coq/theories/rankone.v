(** * Gram matrices of rank one, and data with one sample

    The smallest examples: on one sample every neuron is one number, and the ε-rank is 0 or 1.
    - [u^T *m u]        the matrix with entries u_i u_j;
    - [one_sample]      the data space of one sample of weight 1: ⟨a, b⟩ = ab;
    - [neurons u]       n neurons on it, the j-th with the value u_j;
    - [nat_of_bool b]   1 if b holds, 0 if not. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral rank trace.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section RankOne.
Variable R : rcfType.

Lemma rank1_sym n (u : 'rV[R]_n) : symmetric (u^T *m u).
Proof. by rewrite /symmetric trmx_mul trmxK. Qed.

Lemma qf_rank1 n (u x : 'rV[R]_n) : qf (u^T *m u) x = (x *m u^T) 0 0 ^+ 2.
Proof.
rewrite /qf mulmxA -mulmxA mxE big_ord1 expr2; congr (_ * _).
by rewrite !mxE; apply: eq_bigr => i _; rewrite !mxE mulrC.
Qed.

Lemma rank1_ge0 n (u x : 'rV[R]_n) : 0 <= qf (u^T *m u) x.
Proof. by rewrite qf_rank1 sqr_ge0. Qed.

Lemma rank1_le1 n (u : 'rV[R]_n) eps : 0 <= eps -> (epsrank (u^T *m u) eps <= 1)%N.
Proof.
move=> eps_ge0; apply: leq_trans (rank_monotone_eps _ eps_ge0) _.
by rewrite (epsrank_rank (rank1_sym u) (rank1_ge0 u)) (leq_trans (mxrankM_maxl _ _)) ?rank_leq_col.
Qed.

(** The largest eigenvalue of (u_i u_j) is |u|². *)
Lemma eigval_rank1 n (u : 'rV[R]_n.+1) : eigval (u^T *m u) 0 = sqn u.
Proof.
have symG := rank1_sym u; have : \tr (u^T *m u) = sqn u.
  by rewrite mxtrace_mulC /mxtrace big_ord1.
rewrite trace_eigval // big_ord_recl /= big1 ?addr0 // => i _.
apply/eqP; rewrite eq_le eigval_ge0 ?andbT //; last exact: rank1_ge0.
have i_n : (bump 0 i < n.+1)%N by rewrite -[bump 0 i]/(val (lift ord0 i)) ltn_ord.
rewrite leNgt -epsrank_gtP // -leqNgt.
by apply: leq_trans (rank1_le1 u (lexx 0)) _; rewrite /bump leq0n.
Qed.

(** r_ε((u_i u_j)) is 1 if |u|² > ε, and 0 if not. *)
Lemma epsrank_rank1 n (u : 'rV[R]_n.+1) eps :
  0 <= eps -> epsrank (u^T *m u) eps = nat_of_bool (eps < sqn u).
Proof.
move=> eps_ge0; rewrite -eigval_rank1 -epsrank_gtP //; last exact: rank1_sym.
by case: (epsrank _ _) (rank1_le1 u eps_ge0) => [|[|]].
Qed.

Lemma const1_ge0 N (i : 'I_N) : 0 <= (const_mx 1 : 'rV[R]_N) 0 i.
Proof. by rewrite mxE ler01. Qed.

(** The data space of N samples of weight 1. *)
Definition samples N : preHilbert [lmodType R of 'cV[R]_N] := data_form (@const1_ge0 N).

(** The data space of one sample of weight 1. *)
Definition one_sample := samples 1.

Definition neurons n (u : 'rV[R]_n) (j : 'I_n) : 'cV[R]_1 := (u 0 j)%:M.

Lemma gram_one n (u : 'rV[R]_n) : gram one_sample (neurons u) = u^T *m u.
Proof. by apply/matrixP => i j; rewrite !mxE /= /data_dot !big_ord1 !mxE /= mul1r. Qed.

Lemma gram_one_mix n m (u : 'rV[R]_n) (T : 'M[R]_(n, m)) :
  gram one_sample (mix (neurons u) T) = (u *m T)^T *m (u *m T).
Proof. by rewrite gram_mix gram_one trmx_mul !mulmxA. Qed.

(** On one sample of weight 1, r_ε(φ) is 1 if Σ_j φ_j² > ε, and 0 if not. *)
Lemma epsrank_one n (u : 'rV[R]_n.+1) eps :
  0 <= eps -> epsrank (gram one_sample (neurons u)) eps = nat_of_bool (eps < sqn u).
Proof. by move=> eps_ge0; rewrite gram_one epsrank_rank1. Qed.

End RankOne.
