(** * The leading eigenfeatures, and the projection onto their span

    For neurons φ_1, …, φ_n and an orthogonal matrix [Q] which diagonalises their Gram matrix
    (its rows q_k are orthonormal eigenvectors, for λ_1 ≥ … ≥ λ_n):
    - [psi phi Q k]        the eigenfeature ψ_{k+1} = φ·q_{k+1} (k is counted from 0);
    - [in_span phi Q p v]  v ∈ Ψ_p = span(ψ_1, …, ψ_p);
    - [proj B phi Q p u]   P_p u = Σ_{k ≤ p, λ_k > 0} (⟨u, ψ_k⟩ / λ_k) ψ_k;
    - [dist B phi Q p u]   d_p = ‖u − P_p u‖, shown below to be the distance from u to Ψ_p.
    The target u is any vector of the space, not only a network. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Projection.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V).
Variables (n : nat) (phi : 'I_n -> V) (Q : 'M[R]_n).
Implicit Types (u v : V) (p q : nat) (beta : 'rV[R]_n).

Local Notation lam := (eigval (gram B phi)).

Definition psi (k : 'I_n) : V := comb phi (row k Q).

Definition in_span p v : Prop :=
  exists c : 'rV[R]_n, v = \sum_(k < n | (k < p)%N) c 0 k *: psi k.

Definition proj p u : V :=
  \sum_(k < n | (k < p)%N && (0 < lam k)) (dot B u (psi k) / lam k) *: psi k.

Definition dist p u : R := nrm B (u - proj p u).

(** The square root of a square: ‖u‖ ≤ ‖v‖ as soon as ‖u‖² ≤ ‖v‖². *)
Lemma ler_nrm u v : nrm2 B u <= nrm2 B v -> nrm B u <= nrm B v.
Proof. exact: ler_wsqrtr. Qed.

Lemma comb_sum (I : Type) (r : seq I) (P : pred I) (F : I -> 'rV[R]_n) :
  comb phi (\sum_(i <- r | P i) F i) = \sum_(i <- r | P i) comb phi (F i).
Proof. exact: (big_morph (comb phi) (combD phi) (comb0 phi)). Qed.

Lemma lam_ge0 k : 0 <= lam k.
Proof. by apply: eigval_ge0; [exact: gram_sym | exact: gram_psd]. Qed.

Lemma in_span0 p : in_span p 0.
Proof. by exists 0; rewrite big1 // => k _; rewrite mxE scale0r. Qed.

(** P_p u belongs to Ψ_p. *)
Lemma proj_in_span p u : in_span p (proj p u).
Proof.
exists (\row_k (if 0 < lam k then dot B u (psi k) / lam k else 0)).
by rewrite /proj big_mkcondr; apply: eq_bigr => k _; rewrite mxE; case: ifP; rewrite ?scale0r.
Qed.

(** Ψ_p ⊆ Ψ_q for p ≤ q. *)
Lemma in_span_mono p q v : (p <= q)%N -> in_span p v -> in_span q v.
Proof.
move=> le_pq [c ->]; exists (\row_k (if (k < p)%N then c 0 k else 0)).
rewrite [LHS]big_mkcond [RHS]big_mkcond; apply: eq_bigr => k _; rewrite mxE.
case: ltnP => [lt_kp|_]; last by rewrite scale0r if_same.
by rewrite (leq_trans lt_kp).
Qed.

(** P_p is linear. *)
Lemma projB p u v : proj p (u - v) = proj p u - proj p v.
Proof.
by rewrite -sumrB; apply: eq_bigr => k _; rewrite dotBl mulrBl scalerBl.
Qed.

Hypothesis diagQ : diagonalises Q (gram B phi).

(** ⟨ψ_k, ψ_l⟩ = λ_k δ_kl. *)
Theorem dot_psi (k l : 'I_n) : dot B (psi k) (psi l) = lam k *+ (k == l).
Proof.
case: diagQ => QQ GE.
have {GE} <- : (Q *m gram B phi *m Q^T) k l = lam k *+ (k == l).
  by rewrite {1}GE !mulmxA QQ mul1mx -mulmxA QQ mulmx1 !mxE.
rewrite dot_comb tr_row -row_mul !mxE.
by apply: eq_bigr => i _; rewrite !mxE.
Qed.

(** ψ_k has norm 0 where λ_k = 0; more exactly ‖ψ_k‖² = λ_k. *)
Theorem nrm2_psi (k : 'I_n) : nrm2 B (psi k) = lam k.
Proof. by rewrite /nrm2 dot_psi eqxx. Qed.

(** Where λ_k = 0, ψ_k is orthogonal to everything. *)
Lemma dot_psi_null (k : 'I_n) u : lam k = 0 -> dot B u (psi k) = 0.
Proof.
move=> lam0; apply/eqP; rewrite -sqrf_eq0 eq_le sqr_ge0 andbT.
by apply: le_trans (cauchy_schwarz2 B u (psi k)) _; rewrite nrm2_psi lam0 mulr0.
Qed.

Lemma dot_sum_psi (P : pred 'I_n) (a : 'I_n -> R) l :
  dot B (\sum_(k | P k) a k *: psi k) (psi l) = if P l then a l * lam l else 0.
Proof.
rewrite dot_suml; case: ifP => Pl.
  rewrite (bigD1 l) //= dotZl dot_psi eqxx big1 ?addr0 // => k /andP[_ ne_kl].
  by rewrite dotZl dot_psi (negPf ne_kl) mulr0.
apply: big1 => k Pk; rewrite dotZl dot_psi.
by case: eqP Pl => [<-|_ _]; rewrite ?Pk ?mulr0.
Qed.

(** ‖Σ a_k ψ_k‖² = Σ λ_k a_k². *)
Lemma nrm2_sum_psi (P : pred 'I_n) (a : 'I_n -> R) :
  nrm2 B (\sum_(k | P k) a k *: psi k) = \sum_(k | P k) lam k * a k ^+ 2.
Proof.
rewrite {1}/nrm2 dot_sumr; apply: eq_bigr => k Pk.
by rewrite dotZr dot_sum_psi Pk mulrA -expr2 mulrC.
Qed.

(** The network in the eigenfeatures: φ·β = Σ_k ⟨q_k, β⟩ ψ_k. *)
Lemma comb_psi beta : comb phi beta = \sum_k (beta *m Q^T) 0 k *: psi k.
Proof.
have [QQ _] := diagQ; have QQ' := mulmx1C QQ.
rewrite -[beta in LHS]mulmx1 -QQ' mulmxA mulmx_sum_row comb_sum.
by apply: eq_bigr => k _; rewrite combZ.
Qed.

Lemma dot_proj_psi p u (k : 'I_n) :
  dot B (proj p u) (psi k) = if (k < p)%N then dot B u (psi k) else 0.
Proof.
rewrite dot_sum_psi; case: (k < p)%N => //=.
have := lam_ge0 k; rewrite le_eqVlt => /orP[/eqP/esym lam0|lam_gt0].
  by rewrite lam0 ltxx dot_psi_null.
by rewrite lam_gt0 divfK // gt_eqF.
Qed.

(** u − P_p u is orthogonal to Ψ_p. *)
Theorem proj_orthogonal p u v : in_span p v -> dot B (u - proj p u) v = 0.
Proof.
case=> c ->; rewrite dot_sumr big1 // => k lt_kp.
by rewrite dotZr dotBl dot_proj_psi lt_kp subrr mulr0.
Qed.

(** Pythagoras: ‖u − v‖² = ‖u − P_p u‖² + ‖P_p u − v‖² for v ∈ Ψ_p. *)
Lemma proj_pythagoras p u v :
  in_span p v -> nrm2 B (u - v) = nrm2 B (u - proj p u) + nrm2 B (proj p u - v).
Proof.
move=> v_p; rewrite -{1}(subrK (proj p u) u) -addrA nrm2D dotBr.
by rewrite !proj_orthogonal ?subrr ?mulr0 ?addr0 //; exact: proj_in_span.
Qed.

(** d_p is the distance from u to Ψ_p: it is a lower bound of ‖u − v‖ over v ∈ Ψ_p, and it is
    attained. *)
Theorem dist_is_distance p u :
  (forall v, in_span p v -> dist p u <= nrm B (u - v)) /\
  (exists2 v, in_span p v & nrm B (u - v) = dist p u).
Proof.
split=> [v v_p|]; last by exists (proj p u) => //; exact: proj_in_span.
by apply: ler_nrm; rewrite (proj_pythagoras _ v_p) ler_addl nrm2_ge0.
Qed.

(** Projecting away never lengthens: ‖u − P_p u‖² ≤ ‖u‖². *)
Lemma nrm2_residual_le p u : nrm2 B (u - proj p u) <= nrm2 B u.
Proof.
by have := proj_pythagoras u (in_span0 p); rewrite !subr0 => ->; rewrite ler_addl nrm2_ge0.
Qed.

(** d_p² = ‖u‖² − Σ_{k ≤ p, λ_k > 0} ⟨u, ψ_k⟩² / λ_k. *)
Theorem dist_formula p u :
  dist p u ^+ 2 =
  nrm2 B u - \sum_(k < n | (k < p)%N && (0 < lam k)) dot B u (psi k) ^+ 2 / lam k.
Proof.
rewrite sqr_nrm; have := proj_pythagoras u (in_span0 p); rewrite !subr0 => ->.
suff -> : nrm2 B (proj p u) =
    \sum_(k < n | (k < p)%N && (0 < lam k)) dot B u (psi k) ^+ 2 / lam k by rewrite addrK.
rewrite nrm2_sum_psi; apply: eq_bigr => k /andP[_ lam_gt0].
by rewrite expr_div_n mulrCA [lam k ^+ 2]expr2 invfM mulVKf // gt_eqF.
Qed.

(** d_p is non-increasing in p. *)
Theorem dist_decreases p q u : (p <= q)%N -> dist q u <= dist p u.
Proof.
move=> le_pq; have [le_dist _] := dist_is_distance q u; apply: le_dist.
exact: in_span_mono le_pq (proj_in_span p u).
Qed.

(** d_0 = ‖u‖. *)
Lemma dist0 u : dist 0 u = nrm B u.
Proof. by rewrite /dist /proj big1 ?subr0 // => k. Qed.

Lemma dist_ge0 p u : 0 <= dist p u.
Proof. exact: nrm_ge0. Qed.

(** d_n = min_β ‖φ·β − u‖: the last distance is that of the best output layer of any norm. *)
Theorem dist_best_fit u :
  (forall beta, dist n u <= nrm B (comb phi beta - u)) /\
  (exists beta, nrm B (comb phi beta - u) = dist n u).
Proof.
have [le_dist [v [c ->] v_dist]] := dist_is_distance n u; split=> [beta|].
  rewrite -nrmN opprB; apply: le_dist; exists (beta *m Q^T).
  by rewrite comb_psi; apply: eq_bigl => k; rewrite ltn_ord.
exists (c *m Q); rewrite -nrmN opprB comb_psi -v_dist.
have [QQ _] := diagQ; rewrite -mulmxA QQ mulmx1.
by congr (nrm _ (_ - _)); apply: eq_bigl => k; rewrite ltn_ord.
Qed.

End Projection.
