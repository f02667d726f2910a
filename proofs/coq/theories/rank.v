(** * How the ε-rank moves with the neurons and with the data (M2–M5)

    - [forall x, qf G x <= qf H x]  G ≼ H, the Loewner order;
    - [mxsub f f G]     the matrix G_{f(i) f(j)}: a principal submatrix when f is injective;
    - [phi \o f]        the neurons φ_{f(1)}, …, φ_{f(m)};
    - [mix phi T]       the mixed features φT, whose j-th is Σ_i T_ij φ_i; Gram matrix TᵀGT;
    - [row_mx w w']     the weights w followed by the weights w';
    - [col_mx Phi Psi]  the samples (rows) of Φ followed by those of Ψ. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import fingroup perm.
From EpsRank Require Import form spectral.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** The mixed features φT: linear combinations of the neurons, (φT)_j = Σ_i T_ij φ_i. *)
Definition mix (R : rcfType) (V : lmodType R) n m (phi : 'I_n -> V) (T : 'M[R]_(n, m))
    (j : 'I_m) : V :=
  \sum_i T i j *: phi i.

Section Transfer.
Variable R : rcfType.

(** The tool of this file: if y ↦ yA turns every y with y G yᵀ > ε|y|² into a non-zero z with
    z H zᵀ > δ|z|², then r_ε(G) ≤ r_δ(H). *)
Lemma epsrank_transfer m n (A : 'M[R]_(m, n)) (G : 'M[R]_m) (H : 'M[R]_n) eps delta :
  symmetric G -> symmetric H ->
  (forall y, y != 0 -> eps * sqn y < qf G y ->
     y *m A != 0 /\ delta * sqn (y *m A) < qf H (y *m A)) ->
  (epsrank G eps <= epsrank H delta)%N.
Proof.
move=> symG symH move_up; have [V freeV posV] := epsrank_attained eps symG.
have sub_pos z : (z <= V)%MS -> z != 0 ->
    z *m A != 0 /\ delta * sqn (z *m A) < qf H (z *m A).
  by move=> zV z0; apply: move_up => //; apply: posV.
have rankVA : \rank (V *m A) = epsrank G eps.
  apply/eqP; rewrite -/(row_free (V *m A)); apply: inj_row_free => v /eqP.
  rewrite mulmxA => vVA0; apply/eqP; apply: contraTT vVA0 => v0.
  have vV0 : v *m V != 0 by rewrite mulmx_free_eq0.
  by have [] := sub_pos _ (submxMl v V) vV0.
rewrite -rankVA; apply: epsrank_max => // x /submxP[v ->] vVA0.
rewrite mulmxA in vVA0 *; have vV0 : v *m V != 0.
  by apply: contraNneq vVA0 => ->; rewrite mul0mx.
by have [] := sub_pos _ (submxMl v V) vV0.
Qed.

Lemma sqn_isometry m n (A : 'M[R]_(m, n)) (y : 'rV[R]_m) :
  A *m A^T = 1%:M -> sqn (y *m A) = sqn y.
Proof. by move=> AAt; rewrite /sqn trmx_mul mulmxA -(mulmxA y) AAt mulmx1. Qed.

Lemma symmetric_congr m n (A : 'M[R]_(m, n)) (G : 'M[R]_n) :
  symmetric G -> symmetric (A *m G *m A^T).
Proof. by move=> symG; rewrite /symmetric !trmx_mul trmxK symG mulmxA. Qed.

(** Compression: if the rows of A are orthonormal, then r_ε(A G Aᵀ) ≤ r_ε(G). *)
Theorem rank_compression m n (A : 'M[R]_(m, n)) (G : 'M[R]_n) eps :
  symmetric G -> A *m A^T = 1%:M -> (epsrank (A *m G *m A^T) eps <= epsrank G eps)%N.
Proof.
move=> symG AAt; apply: (@epsrank_transfer _ _ A) => //; first exact: symmetric_congr.
move=> y y0; rewrite qf_congr sqn_isometry // => epsy; split=> //.
by rewrite -sqn_gt0 sqn_isometry // sqn_gt0.
Qed.

End Transfer.

(** ** M2 and M3: the threshold, and adding neurons *)

Section Neurons.
Variable R : rcfType.

(** M2: ε ≤ ε' implies r_ε'(G) ≤ r_ε(G). *)
Theorem rank_monotone_eps n (G : 'M[R]_n) eps eps' :
  eps <= eps' -> (epsrank G eps' <= epsrank G eps)%N.
Proof. by move=> le_eps; apply: sub_count => x; apply: le_lt_trans. Qed.

Lemma mxsub_congr m n (f : 'I_m -> 'I_n) (G : 'M[R]_n) :
  mxsub f f G = rowsub f 1%:M *m G *m (rowsub f 1%:M)^T.
Proof. by rewrite trmx_mxsub trmx1 mul_rowsub_mx mul1mx mulmx_colsub mulmx1 -mxsubcr. Qed.

Lemma rowsub1_orthonormal m n (f : 'I_m -> 'I_n) :
  injective f -> rowsub f 1%:M *m (rowsub f 1%:M)^T = 1%:M :> 'M[R]_m.
Proof.
move=> inj_f; rewrite -[X in X *m _]mulmx1 -mxsub_congr; apply/matrixP => i j.
by rewrite !mxE (inj_eq inj_f).
Qed.

(** M3: a principal submatrix never has larger ε-rank. *)
Theorem rank_monotone_neurons m n (f : 'I_m -> 'I_n) (G : 'M[R]_n) eps :
  injective f -> symmetric G -> (epsrank (mxsub f f G) eps <= epsrank G eps)%N.
Proof.
by move=> inj_f symG; rewrite mxsub_congr; apply: rank_compression; last exact: rowsub1_orthonormal.
Qed.

Variables (V : lmodType R) (B : preHilbert V).

Lemma gram_select m n (f : 'I_m -> 'I_n) (phi : 'I_n -> V) :
  gram B (phi \o f) = mxsub f f (gram B phi).
Proof. by apply/matrixP => i j; rewrite !mxE. Qed.

(** M3 for neurons: a selection of distinct neurons never has larger ε-rank; equivalently,
    adding neurons never lowers it. *)
Theorem rank_monotone_select m n (f : 'I_m -> 'I_n) (phi : 'I_n -> V) eps :
  injective f -> (epsrank (gram B (phi \o f)) eps <= epsrank (gram B phi) eps)%N.
Proof.
by move=> inj_f; rewrite gram_select; apply: rank_monotone_neurons => //; apply: gram_sym.
Qed.

End Neurons.

(** ** M4: the Loewner order, and adding data *)

Section Loewner.
Variable R : rcfType.

(** M4: G ≼ H implies r_ε(G) ≤ r_ε(H). *)
Theorem rank_monotone_loewner n (G H : 'M[R]_n) eps :
  symmetric G -> symmetric H -> (forall x, qf G x <= qf H x) ->
  (epsrank G eps <= epsrank H eps)%N.
Proof.
move=> symG symH GH; apply: (@epsrank_transfer _ _ _ 1%:M) => // y y0 epsy.
by rewrite mulmx1; split=> //; apply: lt_le_trans epsy (GH y).
Qed.

(** M4 for measures: if ‖u‖² grows for every u (a larger measure), the ε-rank never drops. *)
Theorem rank_monotone_measure (V : lmodType R) (B C : preHilbert V) n (phi : 'I_n -> V) eps :
  (forall u, nrm2 B u <= nrm2 C u) ->
  (epsrank (gram B phi) eps <= epsrank (gram C phi) eps)%N.
Proof.
move=> le_BC; apply: rank_monotone_loewner; [exact: gram_sym | exact: gram_sym |].
by move=> x; rewrite -!nrm2_comb.
Qed.

Lemma symmetricD n (G H : 'M[R]_n) : symmetric G -> symmetric H -> symmetric (G + H).
Proof. by rewrite /symmetric linearD /= => -> ->. Qed.

Variables (N M n : nat) (w : 'rV[R]_N) (w' : 'rV[R]_M).
Hypothesis w_ge0 : forall i, 0 <= w 0 i.
Hypothesis w'_ge0 : forall i, 0 <= w' 0 i.

Lemma row_mx_ge0 i : 0 <= row_mx w w' 0 i.
Proof. by rewrite mxE; case: split. Qed.

(** With raw weights, the Gram matrix on the joined samples is the sum of the Gram matrices. *)
Theorem gram_append_data (Phi : 'M[R]_(N, n)) (Psi : 'M[R]_(M, n)) :
  gram (data_form row_mx_ge0) (fun j => col j (col_mx Phi Psi)) =
  gram (data_form w_ge0) (fun j => col j Phi) + gram (data_form w'_ge0) (fun j => col j Psi).
Proof.
have colE j : col j (col_mx Phi Psi) = col_mx (col j Phi) (col j Psi).
  by apply/matrixP => i k; rewrite !mxE; case: split => l; rewrite mxE.
apply/matrixP => i j; rewrite !mxE /= /data_dot big_split_ord !colE /=.
by congr (_ + _); apply: eq_bigr => k _; rewrite ?row_mxEl ?row_mxEr ?col_mxEu ?col_mxEd.
Qed.

(** M4 for data: appending samples with raw weights never lowers the ε-rank. *)
Theorem rank_monotone_data (Phi : 'M[R]_(N, n)) (Psi : 'M[R]_(M, n)) eps :
  (epsrank (gram (data_form w_ge0) (fun j => col j Phi)) eps <=
   epsrank (gram (data_form row_mx_ge0) (fun j => col j (col_mx Phi Psi))) eps)%N.
Proof.
apply: rank_monotone_loewner; [exact: gram_sym | exact: gram_sym |].
by move=> x; rewrite gram_append_data qfD ler_addl gram_psd.
Qed.

End Loewner.

(** ** M5: what leaves the ε-rank unchanged *)

Section Invariance.
Variable R : rcfType.

(** M5: r_ε(Q G Qᵀ) = r_ε(G) for every orthogonal Q. *)
Theorem rank_invariance n (Q G : 'M[R]_n) eps :
  symmetric G -> Q *m Q^T = 1%:M -> epsrank (Q *m G *m Q^T) eps = epsrank G eps.
Proof.
move=> symG QQt; apply/eqP; rewrite eqn_leq (rank_compression _ symG QQt) /=.
have QtQ : Q^T *m Q = 1%:M by apply: mulmx1C.
have -> : epsrank G eps = epsrank (Q^T *m (Q *m G *m Q^T) *m Q^T^T) eps.
  by rewrite trmxK !mulmxA QtQ mul1mx -mulmxA QtQ mulmx1.
by apply: rank_compression; rewrite ?trmxK //; apply: symmetric_congr.
Qed.

(** Scaling a matrix scales its threshold: r_{cε}(cG) = r_ε(G) for c > 0. *)
Theorem epsrank_scale n (G : 'M[R]_n) c eps :
  symmetric G -> 0 < c -> epsrank (c *: G) (c * eps) = epsrank G eps.
Proof.
move=> symG c_gt0; have symcG : symmetric (c *: G) by rewrite /symmetric linearZ /= symG.
apply/eqP; rewrite eqn_leq; apply/andP; split; apply: (@epsrank_transfer _ _ _ 1%:M) => // y y0;
  by rewrite mulmx1 qfZ -mulrA ltr_pmul2l.
Qed.

Variables (V : lmodType R) (B : preHilbert V).

Lemma gram_mix n m (phi : 'I_n -> V) (T : 'M[R]_(n, m)) :
  gram B (mix phi T) = T^T *m gram B phi *m T.
Proof.
apply/matrixP => i j; rewrite !mxE dot_sumr; apply: eq_bigr => k _.
rewrite dot_suml !mxE mulr_suml; apply: eq_bigr => l _.
by rewrite dotZl dotZr !mxE mulrA mulrAC.
Qed.

(** M5 for neurons: an orthogonal mixing of the features keeps the ε-rank. *)
Theorem rank_invariance_mix n (phi : 'I_n -> V) (T : 'M[R]_n) eps :
  T *m T^T = 1%:M -> epsrank (gram B (mix phi T)) eps = epsrank (gram B phi) eps.
Proof.
move=> TTt; rewrite gram_mix -[X in _ *m X]trmxK; apply: rank_invariance; first exact: gram_sym.
by rewrite trmxK; apply: mulmx1C.
Qed.

(** M5: permuting the neurons keeps the ε-rank. *)
Theorem rank_invariance_perm n (phi : 'I_n -> V) (s : 'S_n) eps :
  epsrank (gram B (phi \o s)) eps = epsrank (gram B phi) eps.
Proof.
rewrite gram_select mxsub_congr; apply: rank_invariance; first exact: gram_sym.
exact/rowsub1_orthonormal/perm_inj.
Qed.

(** M5: r_{c²ε}(cφ) = r_ε(φ) for c ≠ 0. *)
Theorem rank_invariance_scale n (phi : 'I_n -> V) c eps :
  c != 0 -> epsrank (gram B (fun j => c *: phi j)) (c ^+ 2 * eps) = epsrank (gram B phi) eps.
Proof.
move=> c0; have -> : gram B (fun j => c *: phi j) = c ^+ 2 *: gram B phi.
  by apply/matrixP => i j; rewrite !mxE dotZl dotZr mulrA expr2.
by apply: epsrank_scale; [exact: gram_sym | rewrite exprn_even_gt0].
Qed.

(** The measure is part of the number: with the weights cw, c > 0, in place of w the threshold
    becomes cε (so the mean over N samples at ε is the sum at Nε). *)
Theorem rank_scale_weights N n (w : 'rV[R]_N) c (w_ge0 : forall i, 0 <= w 0 i)
    (cw_ge0 : forall i, 0 <= (c *: w) 0 i) (Phi : 'M[R]_(N, n)) eps :
  0 < c ->
  epsrank (gram (data_form cw_ge0) (fun j => col j Phi)) (c * eps) =
  epsrank (gram (data_form w_ge0) (fun j => col j Phi)) eps.
Proof.
move=> c_gt0; have -> : gram (data_form cw_ge0) (fun j => col j Phi) =
    c *: gram (data_form w_ge0) (fun j => col j Phi).
  apply/matrixP => i j; rewrite !mxE /= /data_dot mulr_sumr.
  by apply: eq_bigr => k _; rewrite !mxE -mulrA.
by apply: epsrank_scale => //; apply: gram_sym.
Qed.

End Invariance.
