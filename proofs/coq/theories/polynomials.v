(** * A continuous instance: polynomials on [0, 1] with ⟨p, q⟩ = ∫ p q

    Functions on an interval, not values on finitely many points, with nothing assumed: the integral of
    a polynomial is the difference of an antiderivative, over any real closed field.
    - [antiderivative p]   the polynomial P with P' = p and P(0) = 0;
    - [integral p]         ∫_0^1 p = P(1);
    - [poly_form R]        the form ⟨p, q⟩ = ∫_0^1 p q on polynomials, a pre-Hilbert space of infinite
                           dimension, in which every theorem on features holds;
    - [monomials n]        the features 1, x, …, x^(n−1). *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import interval polyrcf.
From EpsRank Require Import form spectral projection floor.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Integral.
Variable R : rcfType.
Implicit Types p q : {poly R}.

(** P with P' = p and P(0) = 0. *)
Definition antiderivative p : {poly R} := \poly_(i < (size p).+1) (p`_i.-1 / i%:R).

(** ∫_0^1 p. *)
Definition integral p : R := (antiderivative p).[1].

Lemma antiderivative_coef p i : (antiderivative p)`_i.+1 = p`_i / i.+1%:R.
Proof.
rewrite coef_poly ltnS; case: ltnP => // le_pi.
by rewrite nth_default // mul0r.
Qed.

(** The antiderivative is one. *)
Theorem antiderivative_deriv p : (antiderivative p)^`() = p.
Proof.
apply/polyP => i; rewrite coef_deriv antiderivative_coef -mulr_natr -mulrA mulVf ?mulr1 //.
by rewrite pnatr_eq0.
Qed.

(** The integral is Σ_i p_i / (i + 1). *)
Lemma integralE p n : (size p <= n)%N -> integral p = \sum_(i < n) p`_i / i.+1%:R.
Proof.
move=> le_n; rewrite /integral (@horner_coef_wide _ n.+1); last first.
  by apply: leq_trans (size_poly _ _) _.
rewrite big_ord_recl /= coef_poly /= invr0 mulr0 mul0r add0r.
by apply: eq_bigr => i _; rewrite expr1n mulr1 antiderivative_coef.
Qed.

Lemma integralD p q : integral (p + q) = integral p + integral q.
Proof.
pose n := maxn (size p) (size q).
rewrite !(@integralE _ n) ?leq_maxl ?leq_maxr ?size_add //.
by rewrite -big_split; apply: eq_bigr => i _; rewrite coefD mulrDl.
Qed.

Lemma integralZ a p : integral (a *: p) = a * integral p.
Proof.
rewrite !(@integralE _ (size p)) ?size_scale_leq // mulr_sumr.
by apply: eq_bigr => i _; rewrite coefZ mulrA.
Qed.

(** Newton and Leibniz: ∫_0^1 P' = P(1) − P(0). *)
Theorem integral_deriv p : integral p^`() = p.[1] - p.[0].
Proof.
have le_n : (size p^`() <= size p)%N by apply: leq_trans (size_poly _ _) (leq_pred _).
rewrite (integralE le_n) (@horner_coef_wide _ (size p).+1 p 1) ?leqnSn //.
rewrite horner_coef0 big_ord_recl expr1n mulr1 addrC addKr; apply: eq_bigr => i _.
by rewrite coef_deriv expr1n mulr1 -mulr_natr mulfK // pnatr_eq0.
Qed.

(** The integral of a polynomial that is not negative on [0, 1] is not negative. *)
Theorem integral_ge0 p : (forall x, 0 <= x <= 1 -> 0 <= p.[x]) -> 0 <= integral p.
Proof.
move=> p_ge0; have [c] := mvt (antiderivative p) (@ltr01 R).
rewrite in_itv antiderivative_deriv subr0 mulr1 horner_coef0 coef_poly /= invr0 mulr0 subr0.
by move=> /andP[c0 c1]; rewrite -/(integral p) => ->; apply: p_ge0; rewrite !ltW.
Qed.

Definition poly_dot p q : R := integral (p * q).

Lemma poly_dotDl p q r : poly_dot (p + q) r = poly_dot p r + poly_dot q r.
Proof. by rewrite /poly_dot mulrDl integralD. Qed.

Lemma poly_dotZl a p q : poly_dot (a *: p) q = a * poly_dot p q.
Proof. by rewrite /poly_dot -scalerAl integralZ. Qed.

Lemma poly_dotC p q : poly_dot p q = poly_dot q p.
Proof. by rewrite /poly_dot mulrC. Qed.

Lemma poly_dot_ge0 p : 0 <= poly_dot p p.
Proof. by apply: integral_ge0 => x _; rewrite hornerM -expr2 sqr_ge0. Qed.

(** Polynomials with ⟨p, q⟩ = ∫_0^1 p q are a pre-Hilbert space. *)
Definition poly_form : preHilbert [lmodType R of {poly R}] :=
  PreHilbert poly_dotDl poly_dotZl poly_dotC poly_dot_ge0.

(** The features 1, x, …, x^(n−1). *)
Definition monomials n (i : 'I_n) : {poly R} := 'X^i.

(** Their Gram matrix is Hilbert's: ∫ x^i x^j = 1 / (i + j + 1). *)
Theorem gram_monomials n i j : gram poly_form (@monomials n) i j = (i + j).+1%:R^-1.
Proof.
rewrite mxE /= /poly_dot /monomials -exprD (@integralE _ (i + j).+1) ?size_polyXn //.
rewrite (bigD1 ord_max) //= coefXn eqxx mul1r big1 ?addr0 // => k kij.
by rewrite coefXn (_ : (k : nat) == _ = false) ?mul0r //; apply: negbTE.
Qed.

(** F2 for functions on the interval: for features φ_1, …, φ_n and a target u* that are polynomials,
    ∫ (u* − φ·β)² is at least (d_k − √λ_{k+1} ‖β‖)_+², λ the eigenvalues of ∫ φ_i φ_j. *)
Theorem loss_floor_integral n (phi : 'I_n -> {poly R}) (us : {poly R}) (Q : 'M[R]_n)
    (k : nat) (beta : 'rV[R]_n) :
  diagonalises Q (gram poly_form phi) ->
  floor_at poly_form phi Q us k (enorm beta) ^+ 2
    <= integral ((\sum_j beta 0 j *: phi j - us) ^+ 2).
Proof.
move=> diagQ; rewrite expr2 -/(poly_dot _ _) -[X in _ <= X]/(nrm2 poly_form (comb phi beta - us)).
by rewrite -sqr_nrm ler_sqr2 ?nrm_ge0 ?floor_at_ge0 //; apply: loss_floor_pos.
Qed.

End Integral.
