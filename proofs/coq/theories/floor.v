(** * The loss floor of fixed features (F1, F2, F3, F5)

    The network is u = φ·β, the target u* any vector [us] of the space, [Q] an orthogonal matrix
    that diagonalises the Gram matrix, λ_{p+1} = [eigval (gram B phi) p] (which is 0 for p ≥ n):
    - [enorm beta]               ‖β‖, the Euclidean norm of the output weights;
    - [(beta *m Q^T) 0 k]        ⟨q_{k+1}, β⟩;
    - [proj B phi Q p u]         P_p u, the projection onto Ψ_p = span(ψ_1, …, ψ_p);
    - [dist B phi Q p us]        d_p = ‖u* − P_p u*‖ = dist(u*, Ψ_p);
    - [floor_at B phi Q us p b]  the floor (d_p − √λ_{p+1} b)_+ of the root loss at ‖β‖ ≤ b;
    - [envelope B phi Q us b]    the largest of these floors over p = 0, …, n;
    - [rank_budget B phi Q us t] the least p with d_p ≤ t (and n + 1 if there is none). *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral projection.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** The Euclidean norm of a row of coefficients. *)
Definition enorm (R : rcfType) n (x : 'rV[R]_n) : R := Num.sqrt (sqn x).

Section Norms.
Variable R : rcfType.
Implicit Types (x y : R).

Lemma enorm_ge0 n (x : 'rV[R]_n) : 0 <= enorm x.
Proof. exact: sqrtr_ge0. Qed.

Lemma sqr_enorm n (x : 'rV[R]_n) : enorm x ^+ 2 = sqn x.
Proof. by rewrite sqr_sqrtr // sqn_ge0. Qed.

Lemma ler_sqr2 x y : 0 <= x -> 0 <= y -> (x ^+ 2 <= y ^+ 2) = (x <= y).
Proof. by move=> x0 y0; rewrite ler_pexpn2r ?nnegrE. Qed.

(** ‖u‖ ≤ δ if and only if ‖u‖² ≤ δ². *)
Lemma nrm_le (V : lmodType R) (B : preHilbert V) u (delta : R) :
  0 <= delta -> (nrm B u <= delta) = (nrm2 B u <= delta ^+ 2).
Proof. by move=> ge0; rewrite -sqr_nrm ler_sqr2 ?nrm_ge0. Qed.

(** A bound l‖x‖² on a squared norm is a bound √l ‖x‖ on the norm. *)
Lemma sqrt_bound (l s t : R) : 0 <= l -> t <= l * s -> Num.sqrt t <= Num.sqrt l * Num.sqrt s.
Proof. by move=> l0 le; rewrite -sqrtrM // ler_wsqrtr. Qed.

Lemma bigmax_sup (F : nat -> R) m p : (p < m)%N -> F p <= \big[Num.max/0]_(q < m) F q.
Proof.
elim: m F p => // m IHm F [|p] lt_pm; rewrite big_ord_recl le_maxr ?lexx //.
by rewrite (IHm (fun q => F q.+1)) ?orbT.
Qed.

Lemma bigmax_le (F : nat -> R) m x :
  0 <= x -> (forall p, F p <= x) -> \big[Num.max/0]_(q < m) F q <= x.
Proof. by move=> x0 le; elim/big_ind: _ => // y z *; rewrite le_maxl; apply/andP. Qed.

(** The first p ≤ n which satisfies a predicate that is inherited upwards. *)
Lemma find_least (a : pred nat) n p :
  (forall q q', (q <= q')%N -> a q -> a q') -> (p <= n)%N ->
  (find a (iota 0 n.+1) <= p)%N = a p.
Proof.
move=> up le_pn; set s := iota 0 n.+1.
have nth_s q : (q <= n)%N -> nth 0%N s q = q by move=> le_qn; rewrite nth_iota.
apply/idP/idP => [le_p|ap]; last first.
  by rewrite leqNgt; apply/negP => /(before_find 0%N); rewrite nth_s // ap.
have has_a : has a s by rewrite has_find size_iota ltnS (leq_trans le_p).
by have := nth_find 0%N has_a; rewrite nth_s ?(leq_trans le_p) //; exact: up.
Qed.

Lemma bigmax_ge0 (F : nat -> R) m : (forall p, 0 <= F p) -> 0 <= \big[Num.max/0]_(q < m) F q.
Proof. by move=> F0; elim/big_ind: _ => // y z y0 z0; rewrite le_maxr y0. Qed.

(** What a linear map that shortens leaves of the distance: the component in Ψ_p^⊥. *)
Lemma component_bound (V : lmodType R) (B : preHilbert V) (res : V -> V) u v :
  (forall x y : V, res (x - y) = res x - res y) ->
  (forall x : V, nrm2 B (res x) <= nrm2 B x) ->
  nrm B (res v) - nrm B (res u) <= nrm B (u - v).
Proof.
move=> resB res_le; apply: le_trans (ler_nrmB B _ _) _.
by rewrite -resB -(nrmN B (u - v)) opprB ler_nrm.
Qed.

End Norms.

Section Floor.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V).
Variables (n : nat) (phi : 'I_n -> V) (Q : 'M[R]_n).
Implicit Types (us v : V) (p : nat) (beta : 'rV[R]_n) (eps b delta m t : R).

Local Notation G := (gram B phi).

(** The floor of the root loss at rank p: (d_p − √λ_{p+1} b)_+. *)
Definition floor_at us p b : R := Num.max 0 (dist B phi Q p us - Num.sqrt (eigval G p) * b).

(** The envelope: the largest floor over p = 0, …, n. *)
Definition envelope us b : R := \big[Num.max/0]_(p < n.+1) floor_at us p b.

(** The rank budget: the least p ≤ n with d_p ≤ t; n + 1 if there is none. *)
Definition rank_budget us t : nat := find (fun p => dist B phi Q p us <= t) (iota 0 n.+1).

Lemma floor_at_ge0 us p b : 0 <= floor_at us p b.
Proof. by rewrite le_maxr lexx. Qed.

Lemma envelope_ge0 us b : 0 <= envelope us b.
Proof. by apply: (@bigmax_ge0 _ (floor_at us ^~ b)) => p; exact: floor_at_ge0. Qed.

(** A larger norm of the output weights lowers each floor. *)
Lemma floor_at_antimono us p b b' : b <= b' -> floor_at us p b' <= floor_at us p b.
Proof.
move=> le_b; rewrite le_maxl floor_at_ge0 /= le_maxr; apply/orP; right.
by rewrite ler_add2l ler_opp2 ler_wpmul2l ?sqrtr_ge0.
Qed.

(** F3, the envelope is above each of the floors: floor_p(b)² ≤ envelope(b)². *)
Theorem floor_le_envelope us p b : (p <= n)%N -> floor_at us p b ^+ 2 <= envelope us b ^+ 2.
Proof.
move=> le_pn; rewrite ler_sqr2 ?floor_at_ge0 ?envelope_ge0 //.
exact: (bigmax_sup (floor_at us ^~ b)).
Qed.

Hypothesis diagQ : diagonalises Q G.

Lemma res_comb p beta :
  nrm2 B (comb phi beta - proj B phi Q p (comb phi beta)) =
  \sum_(k < n | (p <= k)%N) eigval G k * ((beta *m Q^T) 0 k) ^+ 2.
Proof.
set c := beta *m Q^T.
have -> : comb phi beta - proj B phi Q p (comb phi beta) =
    \sum_(k < n | ~~ ((k < p)%N && (0 < eigval G k))) c 0 k *: psi phi Q k.
  have -> : proj B phi Q p (comb phi beta) =
      \sum_(k < n | (k < p)%N && (0 < eigval G k)) c 0 k *: psi phi Q k.
    apply: eq_bigr => k /andP[_ lam_gt0]; congr (_ *: _).
    by rewrite (comb_psi diagQ) (dot_sum_psi diagQ predT (c 0)) mulfK ?gt_eqF.
  rewrite (comb_psi diagQ) (bigID (fun k : 'I_n => (k < p)%N && (0 < eigval G k))) /=.
  by rewrite addrAC subrr add0r.
rewrite (nrm2_sum_psi diagQ) [LHS]big_mkcond [RHS]big_mkcond; apply: eq_bigr => k _.
rewrite negb_and -leqNgt; case: leqP => //= _.
have := lam_ge0 B phi k; rewrite le_eqVlt => /orP[/eqP <-|->] //.
by rewrite ltxx mul0r.
Qed.

(** F1, the tail: ‖u − P_p u‖² = Σ_{k>p} λ_k ⟨q_k, β⟩² ≤ λ_{p+1} ‖β‖², for every β and every p. *)
Theorem tail p beta (u := comb phi beta) :
  nrm2 B (u - proj B phi Q p u)
    = \sum_(k < n | (p <= k)%N) eigval G k * ((beta *m Q^T) 0 k) ^+ 2
  /\ nrm2 B (u - proj B phi Q p u) <= eigval G p * sqn beta.
Proof.
split; rewrite /u res_comb //; have [QQ _] := diagQ; have symG := gram_sym B phi.
rewrite -(sqn_orthogonal beta QQ) sqnE mulr_sumr big_mkcond; apply: ler_sum => k _.
case: leqP => le_pk; last by rewrite mulr_ge0 ?sqr_ge0 ?lam_ge0.
by rewrite ler_wpmul2r ?sqr_ge0 // eigval_mono // le_pk ltn_ord.
Qed.

(** F1 at p = r_ε: ‖u − P_p u‖² ≤ ε ‖β‖². *)
Theorem tail_epsrank eps beta (p := epsrank G eps) (u := comb phi beta) :
  0 <= eps -> nrm2 B (u - proj B phi Q p u) <= eps * sqn beta.
Proof.
move=> eps0; have [_ le_tail] := tail p beta; apply: le_trans le_tail _.
by rewrite ler_wpmul2r ?sqn_ge0 // eigval_epsrank //; exact: gram_sym.
Qed.

(** F2, the floor of the loss: ‖u − u*‖ ≥ d_p − √λ_{p+1} ‖β‖, for every p (where λ_{n+1} = 0). *)
Theorem loss_floor us p beta :
  dist B phi Q p us - Num.sqrt (eigval G p) * enorm beta <= nrm B (comb phi beta - us).
Proof.
pose res x := x - proj B phi Q p x.
have resB x y : res (x - y) = res x - res y.
  by rewrite /res projB opprD addrACA -opprD.
have := component_bound (comb phi beta) us resB (nrm2_residual_le diagQ p).
apply: le_trans; rewrite ler_sub //; have [_ le_tail] := tail p beta.
by apply: sqrt_bound le_tail; exact: lam_ge0.
Qed.

(** F2, positive part: ‖u − u*‖ ≥ (d_p − √λ_{p+1} ‖β‖)_+. *)
Theorem loss_floor_pos us p beta : floor_at us p (enorm beta) <= nrm B (comb phi beta - us).
Proof. by rewrite le_maxl nrm_ge0 loss_floor. Qed.

(** F2 at p = r_ε: ‖u − u*‖ ≥ (d_p − √ε ‖β‖)_+. *)
Theorem loss_floor_epsrank us eps beta (p := epsrank G eps) :
  0 <= eps ->
  Num.max 0 (dist B phi Q p us - Num.sqrt eps * enorm beta) <= nrm B (comb phi beta - us).
Proof.
move=> eps0; rewrite le_maxl nrm_ge0; apply: le_trans (loss_floor us p beta).
rewrite ler_add2l ler_opp2 ler_wpmul2r ?enorm_ge0 // ler_wsqrtr // eigval_epsrank //.
exact: gram_sym.
Qed.

(** F2 at p = n: ‖u − u*‖ ≥ d_n, whatever the output weights. *)
Theorem loss_floor_full us beta : dist B phi Q n us <= nrm B (comb phi beta - us).
Proof.
have := loss_floor us n beta; rewrite eigval_over ?leqnn //; last exact: gram_sym.
by rewrite sqrtr0 mul0r subr0.
Qed.

(** F3, the envelope holds over the ball: ‖φ·β − u*‖² ≥ envelope(b)² for ‖β‖ ≤ b. *)
Theorem envelope_on_ball us b beta :
  enorm beta <= b -> envelope us b ^+ 2 <= nrm2 B (comb phi beta - us).
Proof.
move=> le_b; rewrite -sqr_nrm ler_sqr2 ?envelope_ge0 ?nrm_ge0 //.
apply: (@bigmax_le _ (floor_at us ^~ b)) => [|p]; first exact: nrm_ge0.
apply: le_trans (loss_floor_pos us p beta); apply: floor_at_antimono le_b.
Qed.

(** F3, each floor holds over the ball: ‖φ·β − u*‖² ≥ floor_p(b)² for ‖β‖ ≤ b. *)
Theorem floor_on_ball us p b beta :
  (p <= n)%N -> enorm beta <= b -> floor_at us p b ^+ 2 <= nrm2 B (comb phi beta - us).
Proof.
by move=> le_pn le_b; apply: le_trans (floor_le_envelope us b le_pn) (envelope_on_ball us le_b).
Qed.

(** F3, the chain floor_p(b)² ≤ envelope(b)² ≤ V ≤ loss, where V is the greatest lower bound of the
    loss over the ball ‖β‖ ≤ b (the file [reachable] shows that it exists, and is attained). *)
Theorem reachable_loss us p b m :
  (p <= n)%N ->
  (forall beta, enorm beta <= b -> m <= nrm2 B (comb phi beta - us)) ->
  (forall m', (forall beta, enorm beta <= b -> m' <= nrm2 B (comb phi beta - us)) -> m' <= m) ->
  [/\ floor_at us p b ^+ 2 <= envelope us b ^+ 2, envelope us b ^+ 2 <= m
    & forall beta, enorm beta <= b -> m <= nrm2 B (comb phi beta - us)].
Proof.
move=> le_pn lower greatest; split=> //; first exact: floor_le_envelope.
by apply: greatest => beta; exact: envelope_on_ball.
Qed.

(** F5, the rank budget is the least p ≤ n with d_p ≤ t. *)
Theorem rank_budget_least us t p :
  (p <= n)%N -> (rank_budget us t <= p)%N = (dist B phi Q p us <= t).
Proof.
by move=> le_pn; apply: find_least => // q q' le_qq; apply: le_trans; exact: dist_decreases.
Qed.

(** F5, the rank budget of a loss: a loss ≤ δ² reached with ‖β‖ ≤ b forces d_p ≤ δ + √ε b at
    p = r_ε, so that r_ε is at least the least p with d_p ≤ δ + √ε b. *)
Theorem rank_budget_necessary us eps b delta beta (p := epsrank G eps) :
  0 <= eps -> 0 <= delta -> enorm beta <= b -> nrm2 B (comb phi beta - us) <= delta ^+ 2 ->
  dist B phi Q p us <= delta + Num.sqrt eps * b
  /\ (rank_budget us (delta + Num.sqrt eps * b) <= p)%N.
Proof.
move=> eps0 delta0 le_b; rewrite -nrm_le // => le_delta.
have d_le : dist B phi Q p us <= delta + Num.sqrt eps * b.
  rewrite -ler_subl_addr; apply: le_trans le_delta.
  have := loss_floor_epsrank us beta eps0; rewrite le_maxl => /andP[_]; apply: le_trans.
  by rewrite ler_add2l ler_opp2 ler_wpmul2l ?sqrtr_ge0.
by split=> //; rewrite rank_budget_least // epsrank_leq //; exact: gram_sym.
Qed.

End Floor.
