(** * Cross-entropy with weights of classes (L2, L3)

    A label y of a class with the weight c_y has the loss c_y (Ln Σ_i E(b_i) − b_y); with smoothing its
    target is a row t ≥ 0 of any sum. One such row covers both:
    - [nonnegative t]          t_i ≥ 0 for every class i;
    - [mass t]                 s = Σ_i t_i, the weight of the sample;
    - [weighted_entropy X t b] s Ln Σ_i E(b_i) − ⟨t, b⟩, which is cross-entropy where s = 1;
    - [masses T]               the row (s_1, …, s_N) for the N rows of T. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From EpsRank Require Import form spectral floor selection outputs losses cross_entropy dual.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Definitions.
Variables (R : rcfType) (X : exponential R) (k : nat).
Implicit Types b t : 'rV[R]_k.

(** t_i ≥ 0 for every class. *)
Definition nonnegative t : Prop := forall i, 0 <= t 0 i.
(** s = Σ_i t_i. *)
Definition mass t : R := \sum_i t 0 i.
(** ℓ(b, t) = s Ln Σ_i E(b_i) − ⟨t, b⟩. *)
Definition weighted_entropy t b : R := mass t * Ln X (expsum X b) - mdot t b.
(** The masses of the rows of a matrix. *)
Definition masses N (T : 'M[R]_(N, k)) : 'rV[R]_N := \row_i mass (row i T).

End Definitions.

Section Weighted.
Variables (R : rcfType) (X : exponential R) (k : nat) (i0 : 'I_k).
Implicit Types a b p t : 'rV[R]_k.

Lemma mdotBl (g h d : 'rV[R]_k) : mdot (g - h) d = mdot g d - mdot h d.
Proof. by rewrite mdotDl -scaleN1r mdotZl mulN1r. Qed.

Lemma mdotBr (g d e : 'rV[R]_k) : mdot g (d - e) = mdot g d - mdot g e.
Proof. by rewrite mdotC mdotBl ![mdot _ g]mdotC. Qed.

Lemma mass_ge0 t : nonnegative t -> 0 <= mass t.
Proof. by move=> t0; apply: sumr_ge0. Qed.

(** A row without mass has loss 0, and any other is a multiple of a distribution. *)
Lemma weighted_scaled t : nonnegative t ->
  (forall a, weighted_entropy X t a = 0) /\ t = 0 \/
  exists2 d, distribution d & t = mass t *: d
    /\ forall a, weighted_entropy X t a = mass t * cross_entropy X d a.
Proof.
move=> t0; have [s0|s_neq0] := eqVneq (mass t) 0; [left | right].
  have tE : t = 0.
    apply/rowP => i; rewrite mxE; apply/eqP; rewrite eq_le t0 andbT -s0 /mass (bigD1 i) //=.
    by rewrite ler_addl; apply: sumr_ge0.
  split=> // a; rewrite /weighted_entropy s0 mul0r sub0r tE /mdot big1 ?oppr0 // => i _.
  by rewrite big1 // => j _; rewrite mxE mul0r.
pose d := (mass t)^-1 *: t; have tE : t = mass t *: d by rewrite scalerA divff // scale1r.
exists d; first split=> [i|].
- by rewrite mxE mulr_ge0 // invr_ge0 mass_ge0.
- by under eq_bigr do rewrite mxE; rewrite -mulr_sumr mulVf.
split=> // a; rewrite /weighted_entropy /cross_entropy mulrBr; congr (_ - _).
by rewrite {1}tE mdotZl.
Qed.

(** ℓ(a, t) ≥ s H(p) + ⟨s p − t, a⟩ for every distribution p. *)
Theorem weighted_dual t p a : nonnegative t -> distribution p ->
  mass t * entropy X p + mdot (mass t *: p - t) a <= weighted_entropy X t a.
Proof.
move=> t0 dp; rewrite /weighted_entropy mdotBl mdotZl addrA ler_add2r -mulrDr [_ + mdot _ _]addrC.
by rewrite ler_wpmul2l ?mass_ge0 //; apply: gibbs.
Qed.

(** Weighted cross-entropy is convex, with subgradient s softmax(b) − t at b. *)
Theorem weighted_subgradient t a b : nonnegative t ->
  weighted_entropy X t b + mdot (mass t *: softmax X b - t) (a - b) <= weighted_entropy X t a.
Proof.
move=> t0; apply: le_trans (weighted_dual a t0 (softmax_distribution X i0 b)).
rewrite /weighted_entropy -(gibbs_softmax X i0) le_eqVlt; apply/orP; left; apply/eqP.
rewrite !mdotBl !mdotBr !mdotZl; move: (mass t) (entropy _ _) => s H.
by move: (mdot _ b) (mdot _ b) (mdot _ a) (mdot _ a) => u v x y; ring.
Qed.

(** Weighted cross-entropy is √2 s-Lipschitz. *)
Theorem weighted_lipschitz t a b : nonnegative t ->
  `|weighted_entropy X t a - weighted_entropy X t b| <= Num.sqrt 2%:R * mass t * enorm (a - b).
Proof.
move=> t0; have s0 := mass_ge0 t0; have [[zero _]|[d dd [_ scaled]]] := weighted_scaled t0.
  by rewrite !zero subrr normr0 !mulr_ge0 ?sqrtr_ge0.
rewrite !scaled -mulrBr normrM (ger0_norm s0) mulrAC [X in _ <= X]mulrC ler_wpmul2l //.
exact: cross_entropy_lipschitz.
Qed.

End Weighted.

Section Floor.
Variables (R : rcfType) (X : exponential R) (N n k : nat) (w : 'rV[R]_N).
Hypothesis w_ge0 : forall i, 0 <= w 0 i.
Variables (Phi : 'M[R]_(N, n)) (T : 'M[R]_(N, k)).
Hypothesis T_ge0 : forall i, nonnegative (row i T).

Local Notation ell := (fun i => weighted_entropy X (row i T)).
Local Notation G := (gram (data_form w_ge0) (fun j => col j Phi)).

(** L2 with weights of classes: where no sample has a mass above s, and Σw = 1,
    mean ℓ(φW) ≥ m − √2 s √λ_{p+1} ‖W‖_F for every lower bound m of mean ℓ(φ Q_p C) over the matrices C
    of size p × k with ‖C‖_F ≤ ‖W‖_F. *)
Theorem weighted_floor (Q : 'M[R]_n) p (le_pn : (p <= n)%N) (W : 'M[R]_(n, k)) s m :
  \sum_i w 0 i = 1 -> 0 <= s -> (forall i, mass (row i T) <= s) -> diagonalises Q G ->
  (forall C : 'M[R]_(p, k), frob C <= frob W ->
    m <= mean_loss w ell (Phi *m (leading le_pn Q)^T *m C)) ->
  m - Num.sqrt 2%:R * s * Num.sqrt (eigval G p) * frob W <= mean_loss w ell (Phi *m W).
Proof.
move=> w1 s0 le_s diagQ; apply: (lipschitz_floor w1 diagQ); first by rewrite mulr_ge0 ?sqrtr_ge0.
move=> i; have [i0 _|no] := pickP 'I_k => a b.
  apply: le_trans (weighted_lipschitz X i0 a b (T_ge0 i)) _.
  by rewrite ler_wpmul2r ?sqrtr_ge0 // ler_wpmul2l ?sqrtr_ge0.
have -> : a = b by apply/rowP => l; have := no l.
by rewrite subrr normr0 !mulr_ge0 ?sqrtr_ge0.
Qed.

(** L3 with weights of classes: for any distributions p_i, the slopes s_i p_i − t_i with the values
    s_i H(p_i) are a dual point, so that Σ w_i ℓ(φ_i W + o_i, t_i) ≥ Σ w_i s_i H(p_i) +
    Σ w_i ⟨s_i p_i − t_i, o_i⟩ − b ‖Σ w_i φ_iᵀ (s_i p_i − t_i)‖_F. *)
Theorem weighted_certificate (O P : 'M[R]_(N, k)) (W : 'M[R]_(n, k)) b :
  (forall i, distribution (row i P)) -> frob W <= b ->
  dual_value w Phi O (fun i => mass (row i T) * entropy X (row i P))
      (diag_mx (masses T) *m P - T) b
    <= mean_loss w ell (Phi *m W + O).
Proof.
move=> dP le_b; apply: dual_bound => // i a.
have -> : row i (diag_mx (masses T) *m P - T) = mass (row i T) *: row i P - row i T.
  by rewrite linearB /=; congr (_ - _); apply/rowP => l; rewrite mul_diag_mx !mxE.
have [i0 _|no] := pickP 'I_k; first exact: weighted_dual.
by have [_] := dP i; rewrite big_pred0 // => /esym/eqP; rewrite oner_eq0.
Qed.

End Floor.
