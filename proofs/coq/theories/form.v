(** * Pre-Hilbert spaces and Gram matrices

    Notation of this file, and of all that follow:
    - [R]           any real closed field (the real numbers are one, the real algebraic numbers
                    another);
    - [V]           any module over [R], with a form [B : preHilbert V]: symmetric, bilinear and
                    positive semidefinite, so it covers L²(μ) as well as data;
    - [dot B u v]   ⟨u, v⟩;   [nrm2 B u] ‖u‖²;   [nrm B u] ‖u‖;
    - [phi : 'I_n -> V]  the n neurons of the last hidden layer;
    - [beta : 'rV_n]     the output weights, a row vector;
    - [comb phi beta]    the network u = Σ_j β_j φ_j;
    - [gram B phi]       the Gram matrix G_ij = ⟨φ_i, φ_j⟩;
    - [qf G x]           the quadratic form x G xᵀ of a row vector;   [sqn x]  |x|² = x xᵀ;
    - [data_form w]      the form Σ_i w_i u_i v_i of a finite data set with weights w ≥ 0. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** A symmetric, bilinear, positive semidefinite form on a module. *)
Record preHilbert (R : rcfType) (V : lmodType R) := PreHilbert {
  dot : V -> V -> R;
  dotDl : forall u v w, dot (u + v) w = dot u w + dot v w;
  dotZl : forall a u v, dot (a *: u) v = a * dot u v;
  dotC : forall u v, dot u v = dot v u;
  dot_ge0 : forall u, 0 <= dot u u
}.

Section Forms.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V).
Implicit Types (u v w : V) (a : R).

(** ‖u‖² = ⟨u, u⟩. *)
Definition nrm2 u : R := dot B u u.
(** ‖u‖. *)
Definition nrm u : R := Num.sqrt (nrm2 u).

Lemma dotDr u v w : dot B u (v + w) = dot B u v + dot B u w.
Proof. by rewrite dotC dotDl ![dot B _ u]dotC. Qed.

Lemma dotZr a u v : dot B u (a *: v) = a * dot B u v.
Proof. by rewrite dotC dotZl dotC. Qed.

Lemma dot0l v : dot B 0 v = 0.
Proof. by rewrite -(scale0r (0 : V)) dotZl mul0r. Qed.

Lemma dot0r v : dot B v 0 = 0.
Proof. by rewrite dotC dot0l. Qed.

Lemma dotNl u v : dot B (- u) v = - dot B u v.
Proof. by rewrite -scaleN1r dotZl mulN1r. Qed.

Lemma dotNr u v : dot B u (- v) = - dot B u v.
Proof. by rewrite dotC dotNl dotC. Qed.

Lemma dotBl u v w : dot B (u - v) w = dot B u w - dot B v w.
Proof. by rewrite dotDl dotNl. Qed.

Lemma dotBr u v w : dot B u (v - w) = dot B u v - dot B u w.
Proof. by rewrite dotDr dotNr. Qed.

Lemma dot_suml (I : Type) (r : seq I) (P : pred I) (F : I -> V) v :
  dot B (\sum_(i <- r | P i) F i) v = \sum_(i <- r | P i) dot B (F i) v.
Proof.
by elim/big_rec2: _ => [|i x y _ <-]; rewrite ?dot0l ?dotDl.
Qed.

Lemma dot_sumr (I : Type) (r : seq I) (P : pred I) (F : I -> V) v :
  dot B v (\sum_(i <- r | P i) F i) = \sum_(i <- r | P i) dot B v (F i).
Proof. by rewrite dotC dot_suml; apply: eq_bigr => i _; rewrite dotC. Qed.

Lemma nrm2_ge0 u : 0 <= nrm2 u.
Proof. exact: dot_ge0. Qed.

Lemma nrm_ge0 u : 0 <= nrm u.
Proof. exact: sqrtr_ge0. Qed.

Lemma sqr_nrm u : nrm u ^+ 2 = nrm2 u.
Proof. by rewrite sqr_sqrtr // nrm2_ge0. Qed.

Lemma nrm2Z a u : nrm2 (a *: u) = a ^+ 2 * nrm2 u.
Proof. by rewrite /nrm2 dotZl dotZr mulrA expr2. Qed.

Lemma nrmZ a u : nrm (a *: u) = `|a| * nrm u.
Proof. by rewrite /nrm nrm2Z sqrtrM ?sqr_ge0 // sqrtr_sqr. Qed.

Lemma nrm2N u : nrm2 (- u) = nrm2 u.
Proof. by rewrite /nrm2 dotNl dotNr opprK. Qed.

Lemma nrmN u : nrm (- u) = nrm u.
Proof. by rewrite /nrm nrm2N. Qed.

Lemma nrm2D u v : nrm2 (u + v) = nrm2 u + nrm2 v + 2%:R * dot B u v.
Proof.
by rewrite /nrm2 dotDl !dotDr (dotC B v u) [_ + dot B v v]addrC addrACA -mulr2n mulr_natl.
Qed.

Lemma nrm2B u v : nrm2 (u - v) = nrm2 u + nrm2 v - 2%:R * dot B u v.
Proof. by rewrite nrm2D nrm2N dotNr mulrN. Qed.

(** The Cauchy–Schwarz inequality, squared: ⟨u, v⟩² ≤ ‖u‖² ‖v‖². *)
Lemma cauchy_schwarz2 u v : dot B u v ^+ 2 <= nrm2 u * nrm2 v.
Proof.
have key a : 2%:R * (a * dot B u v) <= nrm2 u + a ^+ 2 * nrm2 v.
  by have := nrm2_ge0 (u - a *: v); rewrite nrm2B nrm2Z dotZr subr_ge0.
have [v0|v_neq0] := eqVneq (nrm2 v) 0.
  rewrite v0 mulr0; have [->|d_neq0] := eqVneq (dot B u v) 0; first by rewrite expr0n.
  have := key ((nrm2 u + 1) / dot B u v); rewrite v0 mulr0 addr0 divfK // leNgt => /negP[].
  have u1_gt0 : 0 < nrm2 u + 1 by rewrite ltr_spaddr ?ltr01 ?nrm2_ge0.
  by rewrite mulr_natl mulr2n ltr_spaddr // ler_addl ler01.
have v_gt0 : 0 < nrm2 v by rewrite lt_def v_neq0 nrm2_ge0.
have := key (dot B u v / nrm2 v); rewrite [(_ / _) ^+ 2]expr2 -[_ * _ * nrm2 v]mulrA divfK //.
by rewrite [_ / _ * _]mulrAC -expr2 mulr_natl mulr2n ler_add2r ler_pdivr_mulr.
Qed.

(** The Cauchy–Schwarz inequality: |⟨u, v⟩| ≤ ‖u‖ ‖v‖. *)
Lemma cauchy_schwarz u v : `|dot B u v| <= nrm u * nrm v.
Proof.
rewrite -(@ler_pexpn2r _ 2) ?nnegrE ?mulr_ge0 ?nrm_ge0 //.
by rewrite real_normK ?num_real // exprMn !sqr_nrm cauchy_schwarz2.
Qed.

(** The triangle inequality. *)
Lemma nrmD u v : nrm (u + v) <= nrm u + nrm v.
Proof.
rewrite -(@ler_pexpn2r _ 2) ?nnegrE ?addr_ge0 ?nrm_ge0 //.
rewrite sqr_nrm nrm2D sqrrD !sqr_nrm [X in X <= _]addrAC ler_add2r ler_add2l.
rewrite -[X in _ <= X]mulr_natl ler_pmul2l ?ltr0n //.
by apply: le_trans (cauchy_schwarz u v); rewrite ler_norm.
Qed.

Lemma ler_nrmB u v : nrm u - nrm v <= nrm (u - v).
Proof. by rewrite ler_subl_addr -{1}[u](subrK v) nrmD. Qed.

(** The neurons' combination with coefficients [beta]: the network u = Σ_j β_j φ_j. *)
Definition comb n (phi : 'I_n -> V) (beta : 'rV[R]_n) : V := \sum_j beta 0 j *: phi j.

(** The Gram matrix G_ij = ⟨φ_i, φ_j⟩. *)
Definition gram n (phi : 'I_n -> V) : 'M[R]_n := \matrix_(i, j) dot B (phi i) (phi j).

Lemma gram_sym n (phi : 'I_n -> V) : (gram phi)^T = gram phi.
Proof. by apply/matrixP => i j; rewrite !mxE dotC. Qed.

Lemma combD n (phi : 'I_n -> V) x y : comb phi (x + y) = comb phi x + comb phi y.
Proof. by rewrite -big_split; apply: eq_bigr => j _; rewrite mxE scalerDl. Qed.

Lemma combZ n (phi : 'I_n -> V) a x : comb phi (a *: x) = a *: comb phi x.
Proof. by rewrite scaler_sumr; apply: eq_bigr => j _; rewrite mxE scalerA. Qed.

Lemma combN n (phi : 'I_n -> V) x : comb phi (- x) = - comb phi x.
Proof. by rewrite -scaleN1r combZ scaleN1r. Qed.

Lemma combB n (phi : 'I_n -> V) x y : comb phi (x - y) = comb phi x - comb phi y.
Proof. by rewrite combD combN. Qed.

Lemma comb0 n (phi : 'I_n -> V) : comb phi 0 = 0.
Proof. by apply: big1 => j _; rewrite mxE scale0r. Qed.

(** ⟨φ·x, φ·y⟩ = x G yᵀ. *)
Lemma dot_comb n (phi : 'I_n -> V) (x y : 'rV[R]_n) :
  dot B (comb phi x) (comb phi y) = (x *m gram phi *m y^T) 0 0.
Proof.
rewrite mxE dot_sumr; apply: eq_bigr => j _.
rewrite dot_suml !mxE mulr_suml; apply: eq_bigr => i _.
by rewrite dotZl dotZr !mxE mulrA mulrAC.
Qed.

End Forms.

(** The quadratic form x G xᵀ. *)
Definition qf (R : rcfType) n (G : 'M[R]_n) (x : 'rV[R]_n) : R := (x *m G *m x^T) 0 0.
(** |x|² = x xᵀ. *)
Definition sqn (R : rcfType) n (x : 'rV[R]_n) : R := (x *m x^T) 0 0.

Section Quadratic.
Variables (R : rcfType) (n : nat).
Implicit Types (x y : 'rV[R]_n) (G : 'M[R]_n).

Lemma sqnE x : sqn x = \sum_i x 0 i ^+ 2.
Proof. by rewrite /sqn mxE; apply: eq_bigr => i _; rewrite !mxE expr2. Qed.

Lemma sqn_ge0 x : 0 <= sqn x.
Proof. by rewrite sqnE sumr_ge0 // => i _; rewrite sqr_ge0. Qed.

Lemma sqn_eq0 x : (sqn x == 0) = (x == 0).
Proof.
rewrite sqnE psumr_eq0 => [|i _]; last exact: sqr_ge0.
apply/allP/eqP => [x0|-> i _]; last by rewrite mxE expr0n eqxx.
apply/matrixP => i j; rewrite ord1 mxE; apply/eqP.
by rewrite -sqrf_eq0; apply: x0; rewrite mem_index_enum.
Qed.

Lemma sqn_gt0 x : (0 < sqn x) = (x != 0).
Proof. by rewrite lt_def sqn_eq0 sqn_ge0 andbT. Qed.

Lemma sqnZ a x : sqn (a *: x) = a ^+ 2 * sqn x.
Proof. by rewrite !sqnE mulr_sumr; apply: eq_bigr => i _; rewrite mxE exprMn. Qed.

Lemma qf_scalar a x : qf a%:M x = a * sqn x.
Proof. by rewrite /qf /sqn mul_mx_scalar -scalemxAl mxE. Qed.

Lemma qfD G H x : qf (G + H) x = qf G x + qf H x.
Proof. by rewrite /qf mulmxDr mulmxDl mxE. Qed.

Lemma qfN G x : qf (- G) x = - qf G x.
Proof. by rewrite /qf mulmxN mulNmx mxE. Qed.

Lemma qfB G H x : qf (G - H) x = qf G x - qf H x.
Proof. by rewrite qfD qfN. Qed.

Lemma qfZ a G x : qf (a *: G) x = a * qf G x.
Proof. by rewrite /qf -scalemxAr -scalemxAl mxE. Qed.

Lemma qf_diag (d : 'rV[R]_n) x : qf (diag_mx d) x = \sum_i d 0 i * x 0 i ^+ 2.
Proof.
rewrite /qf mul_mx_diag mxE; apply: eq_bigr => i _.
by rewrite !mxE -mulrA mulrCA expr2.
Qed.

End Quadratic.

(** x (A G Aᵀ) xᵀ is the form of G at xA. *)
Lemma qf_congr (R : rcfType) m n (A : 'M[R]_(m, n)) (G : 'M[R]_n) (x : 'rV[R]_m) :
  qf (A *m G *m A^T) x = qf G (x *m A).
Proof. by rewrite /qf trmx_mul !mulmxA. Qed.

Section GramForm.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V) (n : nat) (phi : 'I_n -> V).

(** ‖φ·β‖² = β G βᵀ. *)
Lemma nrm2_comb beta : nrm2 B (comb phi beta) = qf (gram B phi) beta.
Proof. exact: dot_comb. Qed.

(** A Gram matrix is positive semidefinite. *)
Lemma gram_psd x : 0 <= qf (gram B phi) x.
Proof. by rewrite -nrm2_comb nrm2_ge0. Qed.

End GramForm.

(** ** The finite data set as an instance *)

Section Data.
Variables (R : rcfType) (N : nat) (w : 'rV[R]_N).
Hypothesis w_ge0 : forall i, 0 <= w 0 i.

Definition data_dot (u v : 'cV[R]_N) : R := \sum_i w 0 i * (u i 0 * v i 0).

Lemma data_dotDl u v x : data_dot (u + v) x = data_dot u x + data_dot v x.
Proof. by rewrite -big_split; apply: eq_bigr => i _; rewrite mxE mulrDl mulrDr. Qed.

Lemma data_dotZl a u v : data_dot (a *: u) v = a * data_dot u v.
Proof. by rewrite mulr_sumr; apply: eq_bigr => i _; rewrite mxE -mulrA mulrCA. Qed.

Lemma data_dotC u v : data_dot u v = data_dot v u.
Proof. by apply: eq_bigr => i _; rewrite [u i 0 * _]mulrC. Qed.

Lemma data_dot_ge0 u : 0 <= data_dot u u.
Proof. by rewrite sumr_ge0 // => i _; rewrite mulr_ge0 // -expr2 sqr_ge0. Qed.

(** Functions on N points with the weighted sum Σ_i w_i u_i v_i. *)
Definition data_form : preHilbert [lmodType R of 'cV[R]_N] :=
  PreHilbert data_dotDl data_dotZl data_dotC data_dot_ge0.

(** For the feature matrix Φ, whose columns are the neurons, G = Φᵀ diag(w) Φ. *)
Lemma gram_data n (Phi : 'M[R]_(N, n)) :
  gram data_form (fun j => col j Phi) = Phi^T *m diag_mx w *m Phi.
Proof.
apply/matrixP => i j; rewrite !mxE; apply: eq_bigr => k _.
by rewrite mul_mx_diag !mxE mulrA [w 0 k * _]mulrC.
Qed.

End Data.
