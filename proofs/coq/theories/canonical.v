(** * The floors without a diagonalising basis

    Elsewhere an orthonormal eigenbasis Q of the Gram matrix is given, so that one may speak of its
    rows. There always is one, and here it is not mentioned.
    - [C]                    p orthonormal heads, the rows of a p × n matrix: C Cᵀ = 1;
    - [comb phi (c *m C)]    a combination of the p features φ·C_1, …, φ·C_p;
    - [eigval (gram B phi) p]   λ_{p+1}, the (p+1)-st eigenvalue of the Gram matrix. *)

From mathcomp Require Import all_ssreflect all_algebra.
From EpsRank Require Import form spectral selection projection floor outputs losses change.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Canonical.
Variables (R : rcfType) (n p : nat).
Hypothesis le_pn : (p <= n)%N.

Lemma leading_orthonormal (Q : 'M[R]_n) : Q *m Q^T = 1%:M ->
  leading le_pn Q *m (leading le_pn Q)^T = 1%:M.
Proof.
move=> QQ; rewrite trmx_mxsub -mxsub_mul QQ; apply/matrixP => i j.
by rewrite !mxE -!val_eqE.
Qed.

(** F2: there are p orthonormal heads such that, whatever u*, and whatever e is at most its distance to
    the combinations of their p features, ‖φ·β − u*‖ ≥ e − √λ_{p+1} ‖β‖ for every β. *)
Theorem loss_floor_canonical (V : lmodType R) (B : preHilbert V) (phi : 'I_n -> V) :
  exists2 C : 'M[R]_(p, n), C *m C^T = 1%:M & forall us e beta,
    (forall c, e <= nrm B (us - comb phi (c *m C))) ->
    e - Num.sqrt (eigval (gram B phi) p) * enorm beta <= nrm B (comb phi beta - us).
Proof.
have [Q diagQ] := spectral_theorem (gram_sym B phi); have [QQ _] := diagQ.
exists (leading le_pn Q) => [|us e beta le_e]; first exact: leading_orthonormal.
apply: le_trans (loss_floor diagQ us p beta); rewrite ler_add2r.
have [_ [v [c ->] <-]] := dist_is_distance diagQ p us.
have := le_e (\row_i c 0 (widen_ord le_pn i)); rewrite -comb_outs.
rewrite [\sum_(k < n | _) _](_ : _ = comb (outs phi (leading le_pn Q)) (\row_i c 0 (widen_ord le_pn i))) //.
rewrite big_ord_narrow; apply: eq_bigr => i _; rewrite mxE; congr (_ *: comb phi _).
by apply/rowP => j; rewrite !mxE.
Qed.

(** L2: there are p orthonormal heads such that, for every L-Lipschitz loss and every W, each lower
    bound m of the loss over heads ‖C'‖_F ≤ ‖W‖_F on their p features gives
    mean ℓ(φW) ≥ m − L √λ_{p+1} ‖W‖_F. *)
Theorem lipschitz_floor_canonical N k (w : 'rV[R]_N) (w_ge0 : forall i, 0 <= w 0 i)
    (Phi : 'M[R]_(N, n)) : \sum_i w 0 i = 1 ->
  exists2 C : 'M[R]_(p, n), C *m C^T = 1%:M &
    forall (ell : 'I_N -> 'rV[R]_k -> R) L (W : 'M[R]_(n, k)) m, 0 <= L -> lipschitz ell L ->
    (forall D : 'M[R]_(p, k), frob D <= frob W -> m <= mean_loss w ell (Phi *m C^T *m D)) ->
    m - L * Num.sqrt (eigval (gram (data_form w_ge0) (fun j => col j Phi)) p) * frob W
      <= mean_loss w ell (Phi *m W).
Proof.
move=> w_sum1; have [Q diagQ] := spectral_theorem (gram_sym (data_form w_ge0) (fun j => col j Phi)).
have [QQ _] := diagQ; exists (leading le_pn Q) => [|ell L W m L0 lip lower].
  exact: leading_orthonormal.
exact: (lipschitz_floor w_sum1 diagQ L0 lip lower).
Qed.

End Canonical.
