(** * The loss floor of networks with k outputs (F1, F2, F3, F5)

    The network is u = φW, with W of size n × k; its outputs are u_l = Σ_j W_jl φ_j, its target has
    the components u*_l, and squared norms are summed over the outputs:
    - [power_form B k]              the form Σ_l ⟨f_l, g_l⟩ on k-tuples of vectors;
    - [output phi W l]              u_l, the l-th output of the network φW;
    - [loss2 B phi W us]            ‖φW − u*‖² = Σ_l ‖u_l − u*_l‖²;   [loss] its square root;
    - [frob2 W], [frob W]           ‖W‖_F² = Σ_jl W_jl² and ‖W‖_F;
    - [dists B phi Q p us]          d_p = √(Σ_l dist(u*_l, Ψ_p)²);
    - [floors_at B phi Q us p b]    (d_p − √λ_{p+1} b)_+;
    - [envelopes B phi Q us b]      the largest of them over p = 0, …, n;
    - [rank_budgets B phi Q us t]   the least p with d_p ≤ t (and n + 1 if there is none). *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral selection projection floor.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** The Frobenius norm. *)
Definition frob (R : rcfType) m k (W : 'M[R]_(m, k)) : R := Num.sqrt (frob2 W).

Section Frobenius.
Variable R : rcfType.

Lemma frob2_ge0 m k (W : 'M[R]_(m, k)) : 0 <= frob2 W.
Proof. by apply: sumr_ge0 => i _; apply: sumr_ge0 => l _; rewrite sqr_ge0. Qed.

Lemma frob_ge0 m k (W : 'M[R]_(m, k)) : 0 <= frob W.
Proof. exact: sqrtr_ge0. Qed.

Lemma sqr_frob m k (W : 'M[R]_(m, k)) : frob W ^+ 2 = frob2 W.
Proof. by rewrite sqr_sqrtr // frob2_ge0. Qed.

End Frobenius.

(** ** The direct sum of k copies of the space *)

Section Power.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V) (k : nat).
Local Notation Vk := [lmodType R of {ffun 'I_k -> V}].

Definition power_dot (f g : {ffun 'I_k -> V}) : R := \sum_l dot B (f l) (g l).

Lemma power_dotDl f g h : power_dot (f + g) h = power_dot f h + power_dot g h.
Proof. by rewrite -big_split; apply: eq_bigr => l _; rewrite ffunE dotDl. Qed.

Lemma power_dotZl a f g : power_dot (a *: f) g = a * power_dot f g.
Proof. by rewrite mulr_sumr; apply: eq_bigr => l _; rewrite ffunE dotZl. Qed.

Lemma power_dotC f g : power_dot f g = power_dot g f.
Proof. by apply: eq_bigr => l _; rewrite dotC. Qed.

Lemma power_dot_ge0 f : 0 <= power_dot f f.
Proof. by apply: sumr_ge0 => l _; exact: dot_ge0. Qed.

(** k-tuples of vectors with the form Σ_l ⟨f_l, g_l⟩. *)
Definition power_form : preHilbert Vk :=
  PreHilbert power_dotDl power_dotZl power_dotC power_dot_ge0.

(** The product norm: ‖f‖² = Σ_l ‖f_l‖². *)
Lemma nrm2_power (f : {ffun 'I_k -> V}) : nrm2 power_form f = \sum_l nrm2 B (f l).
Proof. by []. Qed.

End Power.

Section Outputs.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V).
Variables (n : nat) (phi : 'I_n -> V) (Q : 'M[R]_n) (k : nat).
Implicit Types (us v : 'I_k -> V) (p : nat) (W : 'M[R]_(n, k)) (eps b delta m t : R).

Local Notation G := (gram B phi).

Definition output W (l : 'I_k) : V := comb phi (col l W)^T.

Definition loss2 W us : R := \sum_l nrm2 B (output W l - us l).
Definition loss W us : R := Num.sqrt (loss2 W us).

Definition dists p us : R := Num.sqrt (\sum_l dist B phi Q p (us l) ^+ 2).

Definition floors_at us p b : R := Num.max 0 (dists p us - Num.sqrt (eigval G p) * b).

Definition envelopes us b : R := \big[Num.max/0]_(p < n.+1) floors_at us p b.

Definition rank_budgets us t : nat := find (fun p => dists p us <= t) (iota 0 n.+1).

Lemma loss2_ge0 W us : 0 <= loss2 W us.
Proof. by apply: sumr_ge0 => l _; exact: nrm2_ge0. Qed.

Lemma loss_ge0 W us : 0 <= loss W us.
Proof. exact: sqrtr_ge0. Qed.

Lemma sqr_loss W us : loss W us ^+ 2 = loss2 W us.
Proof. by rewrite sqr_sqrtr // loss2_ge0. Qed.

Lemma floors_at_ge0 us p b : 0 <= floors_at us p b.
Proof. by rewrite le_maxr lexx. Qed.

Lemma envelopes_ge0 us b : 0 <= envelopes us b.
Proof. by apply: (@bigmax_ge0 _ (floors_at us ^~ b)) => p; exact: floors_at_ge0. Qed.

Lemma floors_at_antimono us p b b' : b <= b' -> floors_at us p b' <= floors_at us p b.
Proof.
move=> le_b; rewrite le_maxl floors_at_ge0 /= le_maxr; apply/orP; right.
by rewrite ler_add2l ler_opp2 ler_wpmul2l ?sqrtr_ge0.
Qed.

(** F3 for k outputs: floor_p(b)² ≤ envelope(b)². *)
Theorem floors_le_envelopes us p b : (p <= n)%N -> floors_at us p b ^+ 2 <= envelopes us b ^+ 2.
Proof.
move=> le_pn; rewrite ler_sqr2 ?floors_at_ge0 ?envelopes_ge0 //.
exact: (bigmax_sup (floors_at us ^~ b)).
Qed.

Hypothesis diagQ : diagonalises Q G.

(** d_p is the distance, in the product norm, from u* to the targets all of whose components lie
    in Ψ_p. *)
Theorem dists_is_distance p us :
  (forall v, (forall l, in_span phi Q p (v l)) ->
     dists p us <= Num.sqrt (\sum_l nrm2 B (us l - v l)))
  /\ (exists2 v, (forall l, in_span phi Q p (v l)) &
     Num.sqrt (\sum_l nrm2 B (us l - v l)) = dists p us).
Proof.
split=> [v v_p|]; last first.
  exists (fun l => proj B phi Q p (us l)) => [l|]; first exact: proj_in_span.
  by congr Num.sqrt; apply: eq_bigr => l _; rewrite sqr_nrm.
apply: ler_wsqrtr; apply: ler_sum => l _; rewrite -sqr_nrm ler_sqr2 ?nrm_ge0 //.
by have [le_dist _] := dist_is_distance diagQ p (us l); exact: le_dist.
Qed.

(** d_p is non-increasing in p, for k outputs too. *)
Theorem dists_decreases p q us : (p <= q)%N -> dists q us <= dists p us.
Proof.
move=> le_pq; apply: ler_wsqrtr; apply: ler_sum => l _.
by rewrite ler_sqr2 ?dist_ge0 //; exact: dist_decreases.
Qed.

(** F1 for k outputs: Σ_l ‖u_l − P_p u_l‖² = Σ_{k>p} λ_k |q_k W|² ≤ λ_{p+1} ‖W‖_F². *)
Theorem tail_outputs p W :
  \sum_l nrm2 B (output W l - proj B phi Q p (output W l))
    = \sum_(i < n | (p <= i)%N) eigval G i * sqn (row i Q *m W)
  /\ \sum_l nrm2 B (output W l - proj B phi Q p (output W l)) <= eigval G p * frob2 W.
Proof.
split; last first.
  rewrite frob2E mulr_sumr; apply: ler_sum => l _.
  by have [_ ->] := tail diagQ p (col l W)^T.
transitivity (\sum_l \sum_(i < n | (p <= i)%N) eigval G i * (row i Q *m W) 0 l ^+ 2).
  apply: eq_bigr => l _; have [-> _] := tail diagQ p (col l W)^T.
  by apply: eq_bigr => i _; rewrite -trmx_mul mxE -[Q *m col l W]/_ colE mulmxA -colE -row_mul !mxE.
by rewrite exchange_big; apply: eq_bigr => i _; rewrite sqnE mulr_sumr.
Qed.

(** F1 at p = r_ε for k outputs: Σ_l ‖u_l − P_p u_l‖² ≤ ε ‖W‖_F². *)
Theorem tail_outputs_epsrank eps W (p := epsrank G eps) :
  0 <= eps -> \sum_l nrm2 B (output W l - proj B phi Q p (output W l)) <= eps * frob2 W.
Proof.
move=> eps0; have [_ le_tail] := tail_outputs p W; apply: le_trans le_tail _.
by rewrite ler_wpmul2r ?frob2_ge0 // eigval_epsrank //; exact: gram_sym.
Qed.

(** F2 for k outputs: ‖φW − u*‖ ≥ d_p − √λ_{p+1} ‖W‖_F, for every p (where λ_{n+1} = 0). *)
Theorem loss_floor_outputs us p W :
  dists p us - Num.sqrt (eigval G p) * frob W <= loss W us.
Proof.
pose res (f : {ffun 'I_k -> V}) := [ffun l => f l - proj B phi Q p (f l)].
have resB f g : res (f - g) = res f - res g.
  by apply/ffunP => l; rewrite !ffunE projB opprD addrACA -opprD.
have res_le f : nrm2 (power_form B k) (res f) <= nrm2 (power_form B k) f.
  by rewrite !nrm2_power; apply: ler_sum => l _; rewrite ffunE nrm2_residual_le.
have := component_bound [ffun l => output W l] [ffun l => us l] resB res_le.
have nrmE (f : {ffun 'I_k -> V}) g : (forall l, nrm2 B (f l) = g l) ->
    nrm (power_form B k) f = Num.sqrt (\sum_l g l).
  by move=> fg; rewrite /nrm nrm2_power; congr Num.sqrt; apply: eq_bigr => l _.
rewrite (nrmE _ (fun l => dist B phi Q p (us l) ^+ 2)) => [|l]; last by rewrite !ffunE sqr_nrm.
rewrite (nrmE (_ - _) (fun l => nrm2 B (output W l - us l))) => [|l]; last by rewrite !ffunE.
apply: le_trans; rewrite ler_sub // -[X in X <= _]/(Num.sqrt _).
have [_ le_tail] := tail_outputs p W.
apply: le_trans (sqrt_bound (lam_ge0 B phi p) le_tail).
by apply: ler_wsqrtr; apply: ler_sum => l _; rewrite !ffunE.
Qed.

(** F2 for k outputs, positive part: ‖φW − u*‖ ≥ (d_p − √λ_{p+1} ‖W‖_F)_+. *)
Theorem loss_floor_outputs_pos us p W : floors_at us p (frob W) <= loss W us.
Proof. by rewrite le_maxl loss_ge0 loss_floor_outputs. Qed.

(** F2 at p = r_ε for k outputs: ‖φW − u*‖ ≥ (d_p − √ε ‖W‖_F)_+. *)
Theorem loss_floor_outputs_epsrank us eps W (p := epsrank G eps) :
  0 <= eps -> Num.max 0 (dists p us - Num.sqrt eps * frob W) <= loss W us.
Proof.
move=> eps0; rewrite le_maxl loss_ge0; apply: le_trans (loss_floor_outputs us p W).
rewrite ler_add2l ler_opp2 ler_wpmul2r ?frob_ge0 // ler_wsqrtr // eigval_epsrank //.
exact: gram_sym.
Qed.

(** F3 for k outputs, over the ball: ‖φW − u*‖² ≥ envelope(b)² for ‖W‖_F ≤ b. *)
Theorem envelopes_on_ball us b W : frob W <= b -> envelopes us b ^+ 2 <= loss2 W us.
Proof.
move=> le_b; rewrite -sqr_loss ler_sqr2 ?envelopes_ge0 ?loss_ge0 //.
apply: (@bigmax_le _ (floors_at us ^~ b)) => [|p]; first exact: loss_ge0.
by apply: le_trans (loss_floor_outputs_pos us p W); exact: floors_at_antimono.
Qed.

(** F3 for k outputs, each floor holds over the ball: ‖φW − u*‖² ≥ floor_p(b)² for ‖W‖_F ≤ b. *)
Theorem floors_on_ball us p b W :
  (p <= n)%N -> frob W <= b -> floors_at us p b ^+ 2 <= loss2 W us.
Proof.
by move=> le_pn le_b; apply: le_trans (floors_le_envelopes us b le_pn) (envelopes_on_ball us le_b).
Qed.

(** F3 for k outputs, the chain floor_p(b)² ≤ envelope(b)² ≤ V ≤ loss, where V is the greatest lower
    bound of the loss over the ball ‖W‖_F ≤ b. *)
Theorem reachable_loss_outputs us p b m :
  (p <= n)%N ->
  (forall W, frob W <= b -> m <= loss2 W us) ->
  (forall m', (forall W, frob W <= b -> m' <= loss2 W us) -> m' <= m) ->
  [/\ floors_at us p b ^+ 2 <= envelopes us b ^+ 2, envelopes us b ^+ 2 <= m
    & forall W, frob W <= b -> m <= loss2 W us].
Proof.
move=> le_pn lower greatest; split=> //; first exact: floors_le_envelopes.
by apply: greatest => W; exact: envelopes_on_ball.
Qed.

(** F5 for k outputs: the rank budget is the least p ≤ n with d_p ≤ t. *)
Theorem rank_budgets_least us t p : (p <= n)%N -> (rank_budgets us t <= p)%N = (dists p us <= t).
Proof.
by move=> le_pn; apply: find_least => // p' q' le_pq; apply: le_trans; exact: dists_decreases.
Qed.

(** F5 for k outputs: a loss ≤ δ² reached with ‖W‖_F ≤ b forces d_p ≤ δ + √ε b at p = r_ε, so that
    r_ε is at least the least p with d_p ≤ δ + √ε b. *)
Theorem rank_budgets_necessary us eps b delta W (p := epsrank G eps) :
  0 <= eps -> 0 <= delta -> frob W <= b -> loss2 W us <= delta ^+ 2 ->
  dists p us <= delta + Num.sqrt eps * b
  /\ (rank_budgets us (delta + Num.sqrt eps * b) <= p)%N.
Proof.
move=> eps0 delta0 le_b; rewrite -sqr_loss ler_sqr2 ?loss_ge0 // => le_delta.
have d_le : dists p us <= delta + Num.sqrt eps * b.
  rewrite -ler_subl_addr; apply: le_trans le_delta.
  have := loss_floor_outputs_epsrank us W eps0; rewrite le_maxl => /andP[_]; apply: le_trans.
  by rewrite ler_add2l ler_opp2 ler_wpmul2l ?sqrtr_ge0.
by split=> //; rewrite rank_budgets_least // epsrank_leq //; exact: gram_sym.
Qed.

End Outputs.
