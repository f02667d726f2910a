(** * Cross-entropy is convex and √2-Lipschitz (L2, L3)

    A real closed field need not have an exponential function, so one is given: any function E with
    E(x + y) = E(x) E(y) and 1 + x ≤ E(x), and any Ln that E undoes on positive numbers. The real
    exponential and logarithm are such a pair. Nothing of analysis is needed.
    - [X : exponential R]     such a pair; [E X] and [Ln X] are its functions;
    - [expsum X b]            Σ_i E(b_i) for a row b of k ≥ 1 outputs;
    - [softmax X b]           the row E(b_i) / Σ_j E(b_j);
    - [distribution t]        t_i ≥ 0 and Σ t_i = 1: a target, and a label y is the row e_y;
    - [cross_entropy X t b]   Ln Σ_i E(b_i) − ⟨t, b⟩, which is −Σ_i t_i Ln(softmax(b)_i);
    - [entropy X p]           −Σ_i p_i Ln(p_i). *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From EpsRank Require Import form spectral floor selection outputs losses.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** An exponential function with a logarithm: what cross-entropy needs of them. *)
Record exponential (R : rcfType) := Exponential {
  E : R -> R;
  Ln : R -> R;
  ED : forall x y, E (x + y) = E x * E y;
  E_tangent : forall x, 1 + x <= E x;
  LnK : forall y, 0 < y -> E (Ln y) = y
}.

Section Definitions.
Variables (R : rcfType) (X : exponential R) (k : nat).
Implicit Types b p t : 'rV[R]_k.

(** Σ_i E(b_i). *)
Definition expsum b : R := \sum_i E X (b 0 i).
(** The softmax of outputs. *)
Definition softmax b : 'rV[R]_k := \row_i (E X (b 0 i) / expsum b).
(** A target, or any other distribution over the k classes. *)
Definition distribution t : Prop := (forall i, 0 <= t 0 i) /\ \sum_i t 0 i = 1.
(** ℓ(b, t) = Ln Σ_i E(b_i) − ⟨t, b⟩. *)
Definition cross_entropy t b : R := Ln X (expsum b) - mdot t b.
(** H(p) = −Σ_i p_i Ln(p_i). *)
Definition entropy p : R := - \sum_i p 0 i * Ln X (p 0 i).

End Definitions.

Section Exponential.
Variables (R : rcfType) (X : exponential R).
Local Notation E := (E X).

Lemma E0 : E 0 = 1.
Proof.
have h : E 0 != 0 by rewrite gt_eqF // (lt_le_trans ltr01) //; have := E_tangent X 0; rewrite addr0.
by have := ED X 0 0; rewrite addr0 => /(congr1 ( *%R^~ (E 0)^-1)); rewrite divff // mulfK.
Qed.

Lemma E_gt0 x : 0 < E x.
Proof.
rewrite lt_def; apply/andP; split.
  by apply/eqP => x0; have := ED X x (- x); rewrite subrr E0 x0 mul0r => /eqP; rewrite oner_eq0.
have -> : x = x / 2%:R + x / 2%:R by field.
by rewrite ED -expr2 sqr_ge0.
Qed.

Lemma E_lt x y : x < y -> E x < E y.
Proof.
move=> xy; rewrite -(subrK x y) addrC ED ltr_pmulr ?E_gt0 //.
by apply: lt_le_trans (E_tangent X _); rewrite ltr_addl subr_gt0.
Qed.

Lemma E_le x y : E x <= E y -> x <= y.
Proof. by rewrite !leNgt; apply: contra => /E_lt. Qed.

Variables (k : nat) (i0 : 'I_k).
Implicit Types a b p t : 'rV[R]_k.

Lemma expsum_gt0 b : 0 < expsum X b.
Proof.
rewrite /expsum (bigD1 i0) //=; apply: ltr_paddr (E_gt0 _).
by apply: sumr_ge0 => i _; apply/ltW/E_gt0.
Qed.

(** A softmax is a distribution. *)
Lemma softmax_distribution b : distribution (softmax X b).
Proof.
split=> [i|]; first by rewrite mxE divr_ge0 ?(ltW (E_gt0 _)) ?(ltW (expsum_gt0 _)).
under eq_bigr do rewrite mxE.
by rewrite -mulr_suml divff // gt_eqF ?expsum_gt0.
Qed.

(** The label y as a target. *)
Lemma label_distribution (y : 'I_k) : distribution (delta_mx 0 y : 'rV[R]_k).
Proof.
split=> [i|]; first by rewrite mxE; case: eqP; case: eqP => *; rewrite ?ler01.
rewrite (bigD1 y) //= big1 => [|i iy]; first by rewrite mxE !eqxx addr0.
by rewrite mxE (negPf iy) andbF.
Qed.

Lemma mdot_rows (g d : 'rV[R]_k) : mdot g d = \sum_i g 0 i * d 0 i.
Proof. by rewrite /mdot big_ord1. Qed.

(** Gibbs: Ln Σ_i E(a_i) ≥ ⟨p, a⟩ + H(p) for every distribution p: the conjugate of log-sum-exp at p
    is at most −H(p). *)
Theorem gibbs p a : distribution p -> mdot p a + entropy X p <= Ln X (expsum X a).
Proof.
move=> [p0 p1]; set m := Ln X _; rewrite mdot_rows -sumrB -subr_le0.
set s := \sum_i _; have -> : s - m = \sum_i p 0 i * (1 + (a 0 i - Ln X (p 0 i) - m)) - 1.
  rewrite -[X in _ = _ - X]p1 -sumrB -[X in s - X]mul1r -[X in s - X * _]p1 mulr_suml -sumrB.
  by apply: eq_bigr => i _; move: (p 0 i) (a 0 i) (Ln _ _) => u v z; ring.
have S1 : \sum_i E (a 0 i - m) = 1.
  under eq_bigr do rewrite ED.
  by rewrite -mulr_suml -/(expsum X a) -[X in X * _](LnK X (expsum_gt0 a)) -ED subrr E0.
rewrite subr_le0 -[X in _ <= X]S1; apply: ler_sum => i _; have := p0 i; rewrite le_eqVlt => /predU1P[<-|pi].
  by rewrite mul0r; apply/ltW/E_gt0.
have -> : a 0 i - m = Ln X (p 0 i) + (a 0 i - Ln X (p 0 i) - m).
  by move: (a 0 i) (Ln _ _) => v z; ring.
by rewrite ED LnK // ler_wpmul2l ?p0 // E_tangent.
Qed.

(** Log-sum-exp is the conjugate of −H: the inequality of Gibbs is an equality at p = softmax(b). *)
Lemma gibbs_softmax b : mdot (softmax X b) b + entropy X (softmax X b) = Ln X (expsum X b).
Proof.
have [_ p1] := softmax_distribution b.
have LnE x : Ln X (E x) = x.
  by apply/eqP; rewrite eq_le; apply/andP; split; apply: E_le; rewrite LnK ?E_gt0.
rewrite mdot_rows /entropy -sumrB -[RHS]mul1r -[X in _ = X * _]p1 mulr_suml.
apply: eq_bigr => i _; have : softmax X b 0 i = E (b 0 i - Ln X (expsum X b)).
  rewrite ED mxE; congr (_ * _); have S0 := expsum_gt0 b.
  have : E (Ln X (expsum X b)) * E (- Ln X (expsum X b)) = 1 by rewrite -ED subrr E0.
  by rewrite LnK // => /(canRL (mulKf (negbT (gt_eqF S0)))); rewrite mulr1.
move=> pE; have -> : Ln X (softmax X b 0 i) = b 0 i - Ln X (expsum X b) by rewrite pE LnE.
by move: (softmax X b 0 i) (Ln _ _) (b 0 i) => u v z; ring.
Qed.

(** The dual of cross-entropy: ℓ(a, t) ≥ ⟨p − t, a⟩ + H(p) for every distribution p, so that
    −ℓ*(p − t) ≥ H(p). *)
Theorem cross_entropy_dual t p a :
  distribution p -> entropy X p + mdot (p - t) a <= cross_entropy X t a.
Proof.
move=> dp; have h := gibbs a dp; rewrite /cross_entropy.
have -> : mdot (p - t) a = mdot p a - mdot t a.
  rewrite !mdot_rows -sumrB; apply: eq_bigr => i _; rewrite !mxE.
  by move: (p 0 i) (t 0 i) (a 0 i) => x y z; ring.
by rewrite addrA ler_add2r addrC.
Qed.

(** Cross-entropy is convex, with subgradient softmax(b) − t at b. *)
Theorem cross_entropy_subgradient t a b :
  cross_entropy X t b + mdot (softmax X b - t) (a - b) <= cross_entropy X t a.
Proof.
apply: le_trans (cross_entropy_dual t a (softmax_distribution b)).
rewrite /cross_entropy -gibbs_softmax; rewrite le_eqVlt; apply/orP; left; apply/eqP.
rewrite !mdot_rows; set H := entropy _ _.
have -> : \sum_i (softmax X b - t) 0 i * (a - b) 0 i = \sum_i (softmax X b - t) 0 i * a 0 i
    - (\sum_i softmax X b 0 i * b 0 i - \sum_i t 0 i * b 0 i).
  rewrite -!sumrB; apply: eq_bigr => i _; rewrite ![(_ - _ : 'rV_k) 0 i]mxE [(- _ : 'rV_k) 0 i]mxE.
  rewrite [(- b) 0 i]mxE; move: (softmax X b 0 i) (t 0 i) (a 0 i) (b 0 i) => x y z u; ring.
by move: (\sum_i _) (\sum_i _) (\sum_i _) => u v z; ring.
Qed.

(** The slopes p − t have norm at most √2. *)
Lemma slopes_norm p t : distribution p -> distribution t -> frob2 (p - t) <= 2%:R.
Proof.
have sq q : distribution q -> \sum_i q 0 i ^+ 2 <= 1.
  move=> [q0 q1]; rewrite -q1; apply: ler_sum => i _; rewrite expr2 -[X in _ <= X]mulr1.
  rewrite ler_wpmul2l // -q1 (bigD1 i) //= ler_addl; apply: sumr_ge0 => j _; exact: q0.
move=> dp dt; rewrite -mdot_frob mdot_rows.
have -> : \sum_i (p - t) 0 i * (p - t) 0 i =
    \sum_i p 0 i ^+ 2 + \sum_i t 0 i ^+ 2 - 2%:R * \sum_i p 0 i * t 0 i.
  rewrite mulr_sumr -big_split -sumrB; apply: eq_bigr => i _; rewrite !mxE /=; ring.
rewrite ler_subl_addr -[2%:R]/((1 + 1)%:R) natrD ler_paddr ?ler_add ?sq //.
rewrite mulr_ge0 ?addr_ge0 ?ler01 // sumr_ge0 // => i _.
by rewrite mulr_ge0 ?(dp.1) ?(dt.1).
Qed.

(** Cross-entropy is √2-Lipschitz: |ℓ(a, t) − ℓ(b, t)| ≤ √2 ‖a − b‖. *)
Theorem cross_entropy_lipschitz t a b : distribution t ->
  `|cross_entropy X t a - cross_entropy X t b| <= Num.sqrt 2%:R * enorm (a - b).
Proof.
move=> dt; have frobE (u : 'rV[R]_k) : enorm u = frob u.
  by rewrite /frob /frob2 big_ord1 /enorm sqnE.
have half u v : cross_entropy X t u - cross_entropy X t v <= Num.sqrt 2%:R * enorm (u - v).
  have h2 : cross_entropy X t u - cross_entropy X t v <= mdot (softmax X u - t) (u - v).
    have := cross_entropy_subgradient t v u; move: (softmax X u - t) => g.
    have -> : mdot g (v - u) = - mdot g (u - v).
      by rewrite !mdot_rows -sumrN; apply: eq_bigr => i _; rewrite !mxE; ring.
    move: (cross_entropy X t u) (cross_entropy X t v) (mdot _ _) => r s z.
    by rewrite !ler_subl_addr addrC.
  apply: le_trans h2 _; apply: le_trans (ler_norm _) _.
  apply: le_trans (cauchy_schwarz (matrix_form R 1 k) _ _) _; rewrite !nrm_matrix frobE.
  rewrite ler_wpmul2r ?frob_ge0 // /frob ler_wsqrtr //.
  exact: slopes_norm (softmax_distribution _) dt.
rewrite ler_norml half andbT ler_oppl opprB.
by apply: le_trans (half b a) _; rewrite !frobE -!nrm_matrix -nrmN opprB.
Qed.

End Exponential.

Section Floor.
Variables (R : rcfType) (X : exponential R) (N n k : nat) (w : 'rV[R]_N).
Hypothesis w_ge0 : forall i, 0 <= w 0 i.
Hypothesis w_sum1 : \sum_i w 0 i = 1.
Variables (Phi : 'M[R]_(N, n)) (Q : 'M[R]_n) (p : nat) (le_pn : (p <= n)%N).
Variable t : 'I_N -> 'rV[R]_k.
Hypothesis targets : forall i, distribution (t i).

Local Notation ell := (fun i => cross_entropy X (t i)).
Local Notation G := (gram (data_form w_ge0) (fun j => col j Phi)).
Local Notation Qp := (leading le_pn Q)^T.

Lemma cross_entropies_lipschitz : lipschitz ell (Num.sqrt 2%:R).
Proof.
move=> i; have [i0 _|no] := pickP 'I_k; first by move=> a b; apply: cross_entropy_lipschitz.
by have [_] := targets i; rewrite big_pred0 // => /esym/eqP; rewrite oner_eq0.
Qed.

(** L2 for cross-entropy: with w ≥ 0, Σw = 1 and targets t_i that are labels or distributions,
    mean ℓ(φW) ≥ m − √2 √λ_{p+1} ‖W‖_F for every lower bound m of mean ℓ(φ Q_p C) over the matrices C
    of size p × k with ‖C‖_F ≤ ‖W‖_F. *)
Theorem cross_entropy_floor (W : 'M[R]_(n, k)) m :
  diagonalises Q G ->
  (forall C : 'M[R]_(p, k), frob C <= frob W -> m <= mean_loss w ell (Phi *m Qp *m C)) ->
  m - Num.sqrt 2%:R * Num.sqrt (eigval G p) * frob W <= mean_loss w ell (Phi *m W).
Proof.
move=> diagQ; apply: lipschitz_floor diagQ (sqrtr_ge0 _) cross_entropies_lipschitz => //.
Qed.

End Floor.
