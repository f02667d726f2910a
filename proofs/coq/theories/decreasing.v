(** * The floor at a fixed tail decreases with the ε-rank

    The "negative correlation" of loss and ε-rank, for the floor of fixed features:
    - [dist B phi Q p u], [dists …]  d_p, the distance of the target to the span Ψ_p of the leading p
                         eigenfeatures, for one output and for k outputs (projection.v, outputs.v);
    - [t]                the tail √ε ‖β‖ that is subtracted from it, held fixed. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral projection outputs.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Lemma ler_positive_part (R : rcfType) (x y t : R) :
  x <= y -> Num.max 0 (x - t) <= Num.max 0 (y - t).
Proof. by move=> le_xy; rewrite le_maxl !le_maxr lexx /= ler_add2r le_xy orbT. Qed.

Section Decreasing.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V) (n : nat) (phi : 'I_n -> V).
Variable Q : 'M[R]_n.
Hypothesis diagQ : diagonalises Q (gram B phi).

(** p ≤ q implies (d_q − t)_+ ≤ (d_p − t)_+: at a fixed tail, more ε-rank means a lower floor. *)
Theorem fixed_tail_decreases p q us t :
  (p <= q)%N -> Num.max 0 (dist B phi Q q us - t) <= Num.max 0 (dist B phi Q p us - t).
Proof. by move=> le_pq; apply/ler_positive_part/dist_decreases. Qed.

(** The same for k outputs. *)
Theorem fixed_tail_decreases_outputs k p q (us : 'I_k -> V) t :
  (p <= q)%N -> Num.max 0 (dists B phi Q q us - t) <= Num.max 0 (dists B phi Q p us - t).
Proof. by move=> le_pq; apply/ler_positive_part/dists_decreases. Qed.

End Decreasing.
