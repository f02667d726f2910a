(** * Losses of differential operators: the floor of a physics-informed network (L1)

    [L : U -> V1] and [Bd : U -> V2] are linear maps between modules (a differential operator and a
    boundary operator, say), with forms [B1] and [B2] on their targets, and κ ≥ 0 weighs the second:
    - [pair_form B1 B2]               the form ⟨x, x'⟩ + ⟨y, y'⟩ on pairs (x, y);
    - [operator_feature L Bd kappa phi]    the features (Lφ_j, √κ Bdφ_j);
    - [operator_target kappa f g]          the target (f, √κ g);
    - [operator_loss B1 B2 L Bd kappa f g u]  ‖Lu − f‖² + κ ‖Bd u − g‖².
    Theorems F1, F2, F3 and F5 then hold with the Gram matrix of these features, whose entries are
    ⟨Lφ_i, Lφ_j⟩ + κ ⟨Bdφ_i, Bdφ_j⟩: each theorem below is an instance of the one of the same
    content for features of a pre-Hilbert space. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral projection floor.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Pairs.
Variables (R : rcfType) (V1 V2 : lmodType R) (B1 : preHilbert V1) (B2 : preHilbert V2).
Implicit Types (x y z : V1 * V2).

Definition pair_dot x y : R := dot B1 x.1 y.1 + dot B2 x.2 y.2.

Lemma pair_dotDl x y z : pair_dot (x + y) z = pair_dot x z + pair_dot y z.
Proof. by rewrite /pair_dot !dotDl addrACA. Qed.

Lemma pair_dotZl a x y : pair_dot (a *: x) y = a * pair_dot x y.
Proof. by rewrite /pair_dot !dotZl mulrDr. Qed.

Lemma pair_dotC x y : pair_dot x y = pair_dot y x.
Proof. by rewrite /pair_dot dotC [dot B2 _ _]dotC. Qed.

Lemma pair_dot_ge0 x : 0 <= pair_dot x x.
Proof. by rewrite addr_ge0 ?dot_ge0. Qed.

(** Pairs (x, y) with the form ⟨x, x'⟩ + ⟨y, y'⟩. *)
Definition pair_form : preHilbert [lmodType R of V1 * V2] :=
  PreHilbert pair_dotDl pair_dotZl pair_dotC pair_dot_ge0.

End Pairs.

Section Operators.
Variables (R : rcfType) (U V1 V2 : lmodType R) (B1 : preHilbert V1) (B2 : preHilbert V2).
Variables (L : {linear U -> V1}) (Bd : {linear U -> V2}) (kappa : R) (f : V1) (g : V2).
Variables (n : nat) (phi : 'I_n -> U).
Implicit Types (p : nat) (beta : 'rV[R]_n) (eps b delta m : R) (Q : 'M[R]_n).

Definition operator_feature (j : 'I_n) : V1 * V2 := (L (phi j), Num.sqrt kappa *: Bd (phi j)).

Definition operator_target : V1 * V2 := (f, Num.sqrt kappa *: g).

Definition operator_loss (u : U) : R := nrm2 B1 (L u - f) + kappa * nrm2 B2 (Bd u - g).

Local Notation B := (pair_form B1 B2).
Local Notation Phi := operator_feature.
Local Notation target := operator_target.

Hypothesis kappa_ge0 : 0 <= kappa.

(** The Gram matrix has the entries ⟨Lφ_i, Lφ_j⟩ + κ ⟨Bdφ_i, Bdφ_j⟩. *)
Theorem operator_gram i j :
  gram B Phi i j = dot B1 (L (phi i)) (L (phi j)) + kappa * dot B2 (Bd (phi i)) (Bd (phi j)).
Proof.
by rewrite mxE /= /pair_dot /= dotZl dotZr mulrA -expr2 sqr_sqrtr.
Qed.

Lemma comb_operator beta :
  comb Phi beta = (L (comb phi beta), Num.sqrt kappa *: Bd (comb phi beta)).
Proof.
pose T u : V1 * V2 := (L u, Num.sqrt kappa *: Bd u).
have TD u v : T (u + v) = T u + T v by rewrite /T !linearD.
have TZ a u : T (a *: u) = a *: T u by rewrite /T !linearZ.
have T0 : T 0 = 0 by rewrite -(scale0r (0 : U)) TZ scale0r.
by rewrite -/(T _) (big_morph T TD T0); apply: eq_bigr => j _; rewrite TZ.
Qed.

(** The loss ‖Lu − f‖² + κ‖Bd u − g‖² of a network u = φ·β is the squared distance, in the product
    space, of its image to the target. *)
Theorem operator_lossE beta :
  operator_loss (comb phi beta) = nrm2 B (comb Phi beta - target).
Proof.
rewrite comb_operator [RHS]/nrm2 /= /pair_dot /= -scalerBr.
by rewrite -[dot B2 _ _]/(nrm2 B2 _) nrm2Z sqr_sqrtr.
Qed.

Section Diagonalised.
Variable Q : 'M[R]_n.
Hypothesis diagQ : diagonalises Q (gram B Phi).

(** L1, the tail: ‖U − P_p U‖² ≤ λ_{p+1} ‖β‖² for the image U = (Lu, √κ Bd u) of u = φ·β. *)
Theorem operator_tail p beta (u := comb phi beta) (im := (L u, Num.sqrt kappa *: Bd u)) :
  nrm2 B (im - proj B Phi Q p im) <= eigval (gram B Phi) p * sqn beta.
Proof. by rewrite /im -comb_operator; have [_] := tail diagQ p beta. Qed.

(** L1, the floor: √(‖Lu − f‖² + κ‖Bd u − g‖²) ≥ (d_p − √λ_{p+1} ‖β‖)_+ for every p. *)
Theorem operator_floor p beta :
  Num.max 0 (dist B Phi Q p target - Num.sqrt (eigval (gram B Phi) p) * enorm beta)
    <= Num.sqrt (operator_loss (comb phi beta)).
Proof. by rewrite operator_lossE; exact: loss_floor_pos. Qed.

(** L1, the floor at p = r_ε: √(‖Lu − f‖² + κ‖Bd u − g‖²) ≥ (d_p − √ε ‖β‖)_+. *)
Theorem operator_floor_epsrank eps beta (p := epsrank (gram B Phi) eps) :
  0 <= eps ->
  Num.max 0 (dist B Phi Q p target - Num.sqrt eps * enorm beta)
    <= Num.sqrt (operator_loss (comb phi beta)).
Proof. by rewrite operator_lossE; exact: loss_floor_epsrank. Qed.

(** L1, the reachable loss: floor_p(b)² ≤ envelope(b)² ≤ V ≤ loss over the ball ‖β‖ ≤ b, where V is
    the greatest lower bound of the loss there. *)
Theorem operator_reachable p b m :
  (p <= n)%N ->
  (forall beta, enorm beta <= b -> m <= operator_loss (comb phi beta)) ->
  (forall m', (forall beta, enorm beta <= b -> m' <= operator_loss (comb phi beta)) -> m' <= m) ->
  [/\ floor_at B Phi Q target p b ^+ 2 <= envelope B Phi Q target b ^+ 2,
      envelope B Phi Q target b ^+ 2 <= m
    & forall beta, enorm beta <= b -> m <= operator_loss (comb phi beta)].
Proof.
move=> le_pn lower greatest.
have [||? ? _] // := @reachable_loss _ _ B _ Phi Q diagQ target p b m le_pn.
- by move=> beta le_b; rewrite -operator_lossE lower.
- by move=> m' lower'; apply: greatest => beta le_b; rewrite operator_lossE lower'.
Qed.

(** L1, the rank budget: ‖Lu − f‖² + κ‖Bd u − g‖² ≤ δ² with ‖β‖ ≤ b forces d_p ≤ δ + √ε b at
    p = r_ε, and r_ε to be at least the least p with d_p ≤ δ + √ε b. *)
Theorem operator_budget eps b delta beta (p := epsrank (gram B Phi) eps) :
  0 <= eps -> 0 <= delta -> enorm beta <= b -> operator_loss (comb phi beta) <= delta ^+ 2 ->
  dist B Phi Q p target <= delta + Num.sqrt eps * b
  /\ (rank_budget B Phi Q target (delta + Num.sqrt eps * b) <= p)%N.
Proof. by rewrite operator_lossE; exact: rank_budget_necessary. Qed.

End Diagonalised.
End Operators.
