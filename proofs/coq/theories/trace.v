(** * The trace bounds the ε-rank (M9), and ε = 0 is the rank

    - [forall x, 0 <= qf G x]  G is positive semidefinite;
    - [\tr G], [\rank G]       the trace and the rank of G;
    - [a%:R]                   the natural number a as an element of R. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Trace.
Variable R : rcfType.

(** tr G = λ_1 + … + λ_n. *)
Theorem trace_eigval n (G : 'M[R]_n) : symmetric G -> \tr G = \sum_(k < n) eigval G k.
Proof.
case/spectral_theorem=> Q [QQt {1}->]; rewrite -mulmxA mxtrace_mulC -mulmxA QQt mulmx1.
by rewrite mxtrace_diag; apply: eq_bigr => k _; rewrite mxE.
Qed.

(** M9: ε r_ε ≤ tr G for a positive semidefinite G and ε ≥ 0; so r_ε ≤ tr(G)/ε. *)
Theorem rank_trace n (G : 'M[R]_n) eps :
  symmetric G -> (forall x, 0 <= qf G x) -> 0 <= eps -> eps * (epsrank G eps)%:R <= \tr G.
Proof.
move=> symG G_ge0 eps_ge0; rewrite mulr_natr trace_eigval // epsrankE // -sumr_const.
rewrite [X in _ <= X](bigID (mem [set i : 'I_n | eps < eigval G i])) /=.
rewrite -[X in X <= _]addr0 ler_add //; last first.
  by apply: sumr_ge0 => i _; apply: eigval_ge0.
by apply: ler_sum => i; rewrite inE => /ltW.
Qed.

(** M9, divided: r_ε ≤ tr(G)/ε for ε > 0. *)
Theorem rank_trace_div n (G : 'M[R]_n) eps :
  symmetric G -> (forall x, 0 <= qf G x) -> 0 < eps -> (epsrank G eps)%:R <= \tr G / eps.
Proof.
by move=> symG G_ge0 eps_gt0; rewrite ler_pdivl_mulr // mulrC rank_trace // ltW.
Qed.

(** For neurons: ε r_ε(φ) ≤ Σ_j ‖φ_j‖². *)
Theorem rank_trace_neurons (V : lmodType R) (B : preHilbert V) n (phi : 'I_n -> V) eps :
  0 <= eps -> eps * (epsrank (gram B phi) eps)%:R <= \sum_j nrm2 B (phi j).
Proof.
move=> eps_ge0; have -> : \sum_j nrm2 B (phi j) = \tr (gram B phi).
  by apply: eq_bigr => j _; rewrite mxE.
by apply: rank_trace; [exact: gram_sym | exact: gram_psd |].
Qed.

End Trace.

(** ** The threshold zero

    A positive semidefinite matrix is itself a form, ⟨x, y⟩ = x G yᵀ. *)

Section MatrixForm.
Variables (R : rcfType) (n : nat) (G : 'M[R]_n).
Hypothesis symG : symmetric G.
Hypothesis G_ge0 : forall x, 0 <= qf G x.

Definition mx_dot (x y : 'rV[R]_n) : R := (x *m G *m y^T) 0 0.

Lemma mx_dotDl u v w : mx_dot (u + v) w = mx_dot u w + mx_dot v w.
Proof. by rewrite /mx_dot !mulmxDl mxE. Qed.

Lemma mx_dotZl a u v : mx_dot (a *: u) v = a * mx_dot u v.
Proof. by rewrite /mx_dot -!scalemxAl mxE. Qed.

Lemma mx_dotC u v : mx_dot u v = mx_dot v u.
Proof.
rewrite /mx_dot.
have -> : v *m G *m u^T = (u *m G *m v^T)^T by rewrite !trmx_mul trmxK symG mulmxA.
by rewrite [RHS]mxE.
Qed.

Definition mx_form : preHilbert [lmodType R of 'rV[R]_n] :=
  PreHilbert mx_dotDl mx_dotZl mx_dotC G_ge0.

(** Every positive semidefinite matrix is a Gram matrix. *)
Lemma gram_mx_form : gram mx_form (fun i => row i 1%:M) = G.
Proof.
by apply/matrixP => i j; rewrite mxE /= /mx_dot !row1 trmx_delta -rowE -colE !mxE.
Qed.

(** If x G xᵀ = 0 then xG = 0. *)
Lemma psd_qf_eq0 x : qf G x = 0 -> x *m G = 0.
Proof.
move=> qx0; apply/eqP; rewrite -sqn_eq0 -sqrf_eq0 eq_le sqr_ge0 andbT.
have := cauchy_schwarz2 mx_form x (x *m G); rewrite /nrm2 /= {2}/mx_dot.
by rewrite -[X in X * _]/(qf G x) qx0 mul0r.
Qed.

(** ε = 0 is the rank: r_0(G) = rank G. *)
Theorem epsrank_rank : epsrank G 0 = \rank G.
Proof.
apply/eqP; rewrite eqn_leq; apply/andP; split.
  have [V freeV posV] := epsrank_attained 0 symG.
  rewrite -{1}(eqP freeV) -(mxrank_mul_ker V G).
  have -> : (V :&: kermx G = 0)%MS.
    apply/eqP/rowV0P => x; rewrite sub_capmx => /andP[xV /sub_kermxP xG0].
    apply/eqP; apply: contraT => x0.
    by have := posV x xV x0; rewrite mul0r /qf xG0 mul0mx mxE ltxx.
  by rewrite mxrank0 addn0 mxrankM_maxr.
have [W freeW negW] := epsrank_coattained 0 symG.
have : (W <= kermx G)%MS.
  apply/rV_subP => x xW; apply/sub_kermxP/psd_qf_eq0/eqP.
  by rewrite eq_le G_ge0 andbT; have := negW x xW; rewrite mul0r.
move/mxrankS; rewrite (eqP freeW) mxrank_ker leq_subLR addnBA ?rank_leq_row //.
by rewrite leq_subRL ?leq_add2r // (leq_trans (rank_leq_row G)) ?leq_addl.
Qed.

End MatrixForm.

(** For neurons: r_0(φ) is the rank of the Gram matrix. *)
Theorem epsrank_rank_neurons (R : rcfType) (V : lmodType R) (B : preHilbert V) n
  (phi : 'I_n -> V) : epsrank (gram B phi) 0 = \rank (gram B phi).
Proof. by apply: epsrank_rank; [exact: gram_sym | exact: gram_psd]. Qed.
