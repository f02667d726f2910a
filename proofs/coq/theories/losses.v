(** * Lipschitz losses, and a convex certificate for their reachable value (L2)

    - [leading le_pn Q]      the rows q_1, …, q_p of Q, so that Q_p in the text, of size n × p, is
                             its transpose [(leading le_pn Q)^T];
    - [mean_loss w ell F]    Σ_i w_i ℓ_i(F_i), the mean loss of predictions F of size N × k, whose
                             row F_i is for sample i; ℓ_i is ℓ(·, y_i), the label being part of it;
    - [lipschitz ell L]      |ℓ_i(a) − ℓ_i(a')| ≤ L ‖a − a'‖ for each i, in the Euclidean norm;
    - [Phi *m W]             the predictions φW at the N samples: [Phi] is N × n, [W] is n × k;
    - [mdot A C]             ⟨A, C⟩ = Σ_ij A_ij C_ij;  [frob W] is ‖W‖_F;
    - [data_form w_ge0]      the form Σ_i w_i u_i v_i of the samples. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral selection projection floor outputs.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** The first p rows of a matrix. *)
Definition leading (T : Type) n p (le_pn : (p <= n)%N) (Q : 'M[T]_n) : 'M[T]_(p, n) :=
  rowsub (widen_ord le_pn) Q.

(** ** Truncating the output weights to the leading eigenvectors *)

Section Truncation.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V).
Variables (n : nat) (phi : 'I_n -> V) (Q : 'M[R]_n) (k p : nat) (le_pn : (p <= n)%N).
Hypothesis diagQ : diagonalises Q (gram B phi).
Implicit Type W : 'M[R]_(n, k).

Local Notation Qp := (leading le_pn Q)^T.

Lemma frob2_rows m (W : 'M[R]_(m, k)) : frob2 W = \sum_i sqn (row i W).
Proof. by apply: eq_bigr => i _; rewrite sqnE; apply: eq_bigr => l _; rewrite mxE. Qed.

Lemma frob2_orthogonal W : frob2 (Q *m W) = frob2 W.
Proof.
have [QQ _] := diagQ; rewrite !frob2E; apply: eq_bigr => l _.
by rewrite -(sqn_orthogonal (col l W)^T QQ) -trmx_mul colE -mulmxA -colE.
Qed.

(** ‖Q_pᵀ W‖_F ≤ ‖W‖_F. *)
Lemma frob_truncate W : frob (Qp^T *m W) <= frob W.
Proof.
apply: ler_wsqrtr; rewrite trmxK -(frob2_orthogonal W) !frob2_rows.
rewrite (eq_bigr (fun i => sqn (row (widen_ord le_pn i) (Q *m W)))) => [|i _]; last first.
  by congr sqn; apply/rowP => l; rewrite !mxE; apply: eq_bigr => j _; rewrite mxE.
have <- : \sum_(i < n | (i < p)%N) sqn (row i (Q *m W)) =
    \sum_i sqn (row (widen_ord le_pn i) (Q *m W)) by exact: big_ord_narrow.
rewrite [X in _ <= X](bigID (fun i : 'I_n => (i < p)%N)) ler_addl.
by apply: sumr_ge0 => i _; exact: sqn_ge0.
Qed.

Lemma residual_coordinates W i l :
  (Q *m (W - Qp *m (Qp^T *m W))) i l = if (i < p)%N then 0 else (Q *m W) i l.
Proof.
have [QQ _] := diagQ.
have QQp j : (Q *m Qp) i j = (i == widen_ord le_pn j)%:R.
  have := congr1 (fun M : 'M_n => M i (widen_ord le_pn j)) QQ; rewrite !mxE; apply: etrans.
  by apply: eq_bigr => h _; rewrite !mxE.
have Qp_W j : (Qp^T *m W) j l = (Q *m W) (widen_ord le_pn j) l.
  by rewrite trmxK !mxE; apply: eq_bigr => h _; rewrite mxE.
have subE (A C : 'M[R]_(n, k)) : (A - C) i l = A i l - C i l by rewrite !mxE.
rewrite mulmxBr mulmxA subE [X in _ - X]mxE.
rewrite (eq_bigr (fun j => (i == widen_ord le_pn j)%:R * (Q *m W) (widen_ord le_pn j) l)) /=;
  last by move=> j _; rewrite QQp Qp_W.
have <- : \sum_(h < n | (h < p)%N) (i == h)%:R * (Q *m W) h l =
    \sum_j (i == widen_ord le_pn j)%:R * (Q *m W) (widen_ord le_pn j) l by exact: big_ord_narrow.
case: ltnP => [lt_ip|le_pi].
  rewrite (bigD1 i) //= eqxx mul1r big1 ?addr0 ?subrr // => h /andP[_ /negbTE].
  by rewrite eq_sym => ->; rewrite mul0r.
rewrite big1 ?subr0 // => h lt_hp; case: eqP le_pi => [->|]; last by rewrite mul0r.
by rewrite leqNgt lt_hp.
Qed.

(** The network whose output weights are projected on the leading eigenvectors differs from φW by
    Σ_l ‖u_l − (φ Q_p Q_pᵀ W)_l‖² ≤ λ_{p+1} ‖W‖_F². *)
Theorem truncation_bound W :
  \sum_l nrm2 B (output phi W l - output phi (Qp *m (Qp^T *m W)) l)
    <= eigval (gram B phi) p * frob2 W.
Proof.
pose D := W - Qp *m (Qp^T *m W); have symG := gram_sym B phi.
have DE l i : ((col l D)^T *m Q^T) 0 i = if (i < p)%N then 0 else (Q *m W) i l.
  by rewrite -trmx_mul mxE colE mulmxA -colE mxE; exact: residual_coordinates.
rewrite -(frob2_orthogonal W) /frob2 exchange_big mulr_sumr; apply: ler_sum => l _.
rewrite /output -combB -linearB -linearB -/D nrm2_comb (qf_spectral _ diagQ) mulr_sumr.
apply: ler_sum => i _; rewrite DE; case: ltnP => le_pi.
  by rewrite expr0n mulr0 mulr_ge0 ?sqr_ge0 ?lam_ge0.
by rewrite ler_wpmul2r ?sqr_ge0 // eigval_mono // le_pi ltn_ord.
Qed.

(** L2 in any pre-Hilbert space: if a functional f of the k outputs is L-Lipschitz in the product
    norm and m ≤ f(φ Q_p C) for all C with ‖C‖_F ≤ ‖W‖_F, then f(φW) ≥ m − L √λ_{p+1} ‖W‖_F. *)
Theorem lipschitz_functional_floor (f : ('I_k -> V) -> R) (L m : R) W :
  0 <= L ->
  (forall x y, f x - f y <= L * Num.sqrt (\sum_l nrm2 B (x l - y l))) ->
  (forall C : 'M[R]_(p, k), frob C <= frob W -> m <= f (output phi (Qp *m C))) ->
  m - L * Num.sqrt (eigval (gram B phi) p) * frob W <= f (output phi W).
Proof.
move=> L0 lip lower; rewrite ler_subl_addr.
apply: le_trans (lower _ (frob_truncate W)) _; rewrite -ler_subl_addl.
apply: le_trans (lip _ _) _; rewrite -mulrA ler_wpmul2l //.
apply: le_trans (sqrt_bound (lam_ge0 B phi p) (truncation_bound W)).
rewrite ler_wsqrtr //; apply: ler_sum => l _.
by rewrite -(nrm2N _ (_ - _)) opprB.
Qed.

End Truncation.

(** ** Lipschitz losses on a finite probability space *)

Definition mean_loss (R : rcfType) N k (w : 'rV[R]_N) (ell : 'I_N -> 'rV[R]_k -> R)
    (F : 'M[R]_(N, k)) : R :=
  \sum_i w 0 i * ell i (row i F).

Definition lipschitz (R : rcfType) N k (ell : 'I_N -> 'rV[R]_k -> R) (L : R) : Prop :=
  forall i a a', `|ell i a - ell i a'| <= L * enorm (a - a').

Section Lipschitz.
Variables (R : rcfType) (N n k : nat) (w : 'rV[R]_N).
Hypothesis w_ge0 : forall i, 0 <= w 0 i.
Hypothesis w_sum1 : \sum_i w 0 i = 1.
Variables (Phi : 'M[R]_(N, n)) (Q : 'M[R]_n) (p : nat) (le_pn : (p <= n)%N).
Variables (ell : 'I_N -> 'rV[R]_k -> R) (L : R).

Local Notation B := (data_form w_ge0).
Local Notation phi := (fun j => col j Phi).
Local Notation Qp := (leading le_pn Q)^T.

(** Jensen: (Σ w_i e_i)² ≤ Σ w_i e_i² for weights of sum 1. *)
Lemma mean_le_rms (e : 'I_N -> R) : \sum_i w 0 i * e i <= Num.sqrt (\sum_i w 0 i * e i ^+ 2).
Proof.
have := cauchy_schwarz B (const_mx 1) (\col_i e i); rewrite /nrm /nrm2 /= /data_dot.
have -> : \sum_i w 0 i * ((const_mx 1 : 'cV[R]_N) i 0 * (const_mx 1 : 'cV[R]_N) i 0) = 1.
  by rewrite -[RHS]w_sum1; apply: eq_bigr => i _; rewrite !mxE !mulr1.
rewrite sqrtr1 mul1r => le; apply: le_trans (le_trans (le_trans _ (ler_norm _)) le) _.
  by rewrite le_eqVlt; apply/orP; left; apply/eqP/eq_bigr => i _; rewrite !mxE mul1r.
by apply: ler_wsqrtr; apply: ler_sum => i _; rewrite !mxE expr2.
Qed.

Lemma output_data (W : 'M[R]_(n, k)) l : output phi W l = col l (Phi *m W).
Proof.
apply/colP => i; rewrite /output /comb summxE !mxE; apply: eq_bigr => j _.
by rewrite !mxE mulrC.
Qed.

(** The mean of an L-Lipschitz loss is L-Lipschitz in the predictions, for the norm of the data:
    mean ℓ(F) − mean ℓ(H) ≤ L √(Σ_i w_i ‖F_i − H_i‖²). *)
Lemma mean_loss_lipschitz (x y : 'I_k -> 'cV[R]_N) :
  0 <= L -> lipschitz ell L ->
  mean_loss w ell (\matrix_(i, l) x l i 0) - mean_loss w ell (\matrix_(i, l) y l i 0)
    <= L * Num.sqrt (\sum_l nrm2 B (x l - y l)).
Proof.
move=> L0 lip; pose D := \matrix_(i, l) (x l - y l) i 0.
have -> : \sum_l nrm2 B (x l - y l) = \sum_i w 0 i * enorm (row i D) ^+ 2.
  rewrite exchange_big; apply: eq_bigr => i _; rewrite sqr_enorm sqnE mulr_sumr.
  by apply: eq_bigr => l _; rewrite !mxE expr2.
apply: le_trans (ler_wpmul2l L0 (mean_le_rms _)); rewrite mulr_sumr -sumrB.
apply: ler_sum => i _; rewrite -mulrBr mulrCA ler_wpmul2l //.
apply: le_trans (ler_norm _) (le_trans (lip _ _ _) _).
by rewrite -linearB; rewrite (_ : _ - _ = D) //; apply/matrixP => ? ?; rewrite !mxE.
Qed.

(** L2: for an L-Lipschitz loss on a finite probability space (w ≥ 0, Σw = 1),
    mean ℓ(φW) ≥ m − L √λ_{p+1} ‖W‖_F for every lower bound m of mean ℓ(φ Q_p C) over the matrices C
    of size p × k with ‖C‖_F ≤ ‖W‖_F. *)
Theorem lipschitz_floor (W : 'M[R]_(n, k)) m :
  diagonalises Q (gram B phi) -> 0 <= L -> lipschitz ell L ->
  (forall C : 'M[R]_(p, k), frob C <= frob W -> m <= mean_loss w ell (Phi *m Qp *m C)) ->
  m - L * Num.sqrt (eigval (gram B phi) p) * frob W <= mean_loss w ell (Phi *m W).
Proof.
move=> diagQ L0 lip lower.
pose f (x : 'I_k -> 'cV[R]_N) := mean_loss w ell (\matrix_(i, l) x l i 0).
have fE W' : f (output phi W') = mean_loss w ell (Phi *m W').
  congr mean_loss; apply/matrixP => i l; rewrite mxE output_data mxE //.
rewrite -fE.
apply: (@lipschitz_functional_floor _ _ B _ phi Q k p le_pn diagQ f) => // [x y|C le_C].
  exact: mean_loss_lipschitz.
by rewrite fE mulmxA lower.
Qed.

End Lipschitz.

(** ** The Frank–Wolfe certificate *)

(** For f with a subgradient g at C₀, that is f(C) ≥ f(C₀) + ⟨g, C − C₀⟩ for all C (as a convex f
    has), f(C) ≥ f(C₀) − ⟨g, C₀⟩ − b ‖g‖ for all C with ‖C‖ ≤ b. *)
Theorem frank_wolfe (R : rcfType) (V : lmodType R) (B : preHilbert V) (f : V -> R) (C0 g : V) b :
  (forall C, f C0 + dot B g (C - C0) <= f C) ->
  forall C, nrm B C <= b -> f C0 - dot B g C0 - b * nrm B g <= f C.
Proof.
move=> sub C le_b; apply: le_trans (sub C); rewrite dotBr -addrA ler_add2l addrC ler_add2r.
rewrite ler_oppl; apply: le_trans (ler_norm _) _; rewrite normrN.
by apply: le_trans (cauchy_schwarz B g C) _; rewrite mulrC ler_wpmul2r ?nrm_ge0.
Qed.

Section MatrixCertificate.
Variable R : rcfType.

Section Form.
Variables p k : nat.
Implicit Types A C D : 'M[R]_(p, k).

(** ⟨A, C⟩ = Σ_ij A_ij C_ij. *)
Definition mdot A C : R := \sum_i \sum_l A i l * C i l.

Lemma mdotDl A C D : mdot (A + C) D = mdot A D + mdot C D.
Proof.
rewrite -big_split; apply: eq_bigr => i _; rewrite -big_split; apply: eq_bigr => l _.
by rewrite mxE mulrDl.
Qed.

Lemma mdotZl a A C : mdot (a *: A) C = a * mdot A C.
Proof.
rewrite mulr_sumr; apply: eq_bigr => i _; rewrite mulr_sumr; apply: eq_bigr => l _.
by rewrite mxE mulrA.
Qed.

Lemma mdotC A C : mdot A C = mdot C A.
Proof. by apply: eq_bigr => i _; apply: eq_bigr => l _; rewrite mulrC. Qed.

Lemma mdot_frob A : mdot A A = frob2 A.
Proof. by apply: eq_bigr => i _; apply: eq_bigr => l _; rewrite expr2. Qed.

Lemma mdot_trace A C : mdot A C = \tr (A *m C^T).
Proof. by apply: eq_bigr => i _; rewrite mxE; apply: eq_bigr => l _; rewrite mxE. Qed.

Lemma mdot_ge0 A : 0 <= mdot A A.
Proof. by rewrite mdot_frob frob2_ge0. Qed.

(** Matrices with the form ⟨A, C⟩; its norm is the Frobenius norm. *)
Definition matrix_form : preHilbert [lmodType R of 'M[R]_(p, k)] :=
  PreHilbert mdotDl mdotZl mdotC mdot_ge0.

Lemma nrm_matrix A : nrm matrix_form A = frob A.
Proof. by rewrite /nrm /nrm2 /= mdot_frob. Qed.

End Form.

Variables (N n k : nat) (w : 'rV[R]_N).
Hypothesis w_ge0 : forall i, 0 <= w 0 i.
Variable ell : 'I_N -> 'rV[R]_k -> R.

(** If S_i is a subgradient of ℓ_i at the prediction (ΨC₀)_i, that is
    ℓ_i(a) ≥ ℓ_i((ΨC₀)_i) + ⟨S_i, a − (ΨC₀)_i⟩ for all a, then Ψᵀ diag(w) S is one of mean ℓ(ΨC)
    at C₀. *)
Theorem mean_loss_subgradient p (Psi : 'M[R]_(N, p)) (S : 'M[R]_(N, k)) (C0 : 'M[R]_(p, k)) :
  (forall i (a : 'rV[R]_k),
     ell i (row i (Psi *m C0)) + mdot (row i S) (a - row i (Psi *m C0)) <= ell i a) ->
  forall C : 'M[R]_(p, k),
    mean_loss w ell (Psi *m C0) + mdot (Psi^T *m diag_mx w *m S) (C - C0)
      <= mean_loss w ell (Psi *m C).
Proof.
move=> sub C.
have -> : mdot (Psi^T *m diag_mx w *m S) (C - C0) =
    \sum_i w 0 i * mdot (row i S) (row i (Psi *m C) - row i (Psi *m C0)).
  rewrite mdot_trace -!mulmxA mxtrace_mulC -mulmxA -mulmxA -trmx_mul mulmxBr.
  apply: eq_bigr => i _; rewrite mul_diag_mx mxE; congr (_ * _).
  by rewrite mxE /mdot big_ord1; apply: eq_bigr => l _; rewrite !mxE.
rewrite -big_split; apply: ler_sum => i _; rewrite /= -mulrDr ler_wpmul2l //; exact: sub.
Qed.

Hypothesis w_sum1 : \sum_i w 0 i = 1.

(** L2 with its certificate: whatever the point C₀ of size p × k, and whatever the subgradient g of
    mean ℓ(φ Q_p C) there,
    mean ℓ(φW) ≥ f(C₀) − ⟨g, C₀⟩ − ‖W‖_F ‖g‖_F − L √λ_{p+1} ‖W‖_F, with f(C) = mean ℓ(φ Q_p C). *)
Theorem lipschitz_certificate (Phi : 'M[R]_(N, n)) (Q : 'M[R]_n) p (le_pn : (p <= n)%N) (L : R)
    (C0 g : 'M[R]_(p, k)) (W : 'M[R]_(n, k))
    (G := gram (data_form w_ge0) (fun j => col j Phi))
    (f := fun C => mean_loss w ell (Phi *m (leading le_pn Q)^T *m C)) :
  diagonalises Q G -> 0 <= L -> lipschitz ell L ->
  (forall C : 'M[R]_(p, k), f C0 + mdot g (C - C0) <= f C) ->
  f C0 - mdot g C0 - frob W * frob g - L * Num.sqrt (eigval G p) * frob W
    <= mean_loss w ell (Phi *m W).
Proof.
move=> diagQ L0 lip sub; apply: (lipschitz_floor w_sum1 (le_pn := le_pn) diagQ) => // C le_C.
rewrite -[frob g]nrm_matrix; exact: (@frank_wolfe _ _ (matrix_form p k) f C0 g).
Qed.

End MatrixCertificate.
