(** * Plausible claims about the ε-rank that are false

    Each claim is refuted as the negation of the universal statement, beside a witness with exact
    numbers; what is true instead follows it.
    - [10%:R ^- 6]          10⁻⁶;
    - [duplicate phi i]     the neurons φ_i, φ_1, …, φ_n: the i-th is there twice;
    - [mix phi T]           the mixed features φT;
    - [samples N]           the data space of N samples of weight 1, [one_sample] for N = 1;
    - [next_layer sigma W b phi]  the features σ(Wφ + b) of the next layer, on the samples;
    - [relu x]              max(0, x). *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From EpsRank Require Import form spectral rank trace mixing rankone.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** "Duplicating a neuron cannot raise the ε-rank" *)

Definition duplicate (R : rcfType) (V : lmodType R) n (phi : 'I_n -> V) (i : 'I_n)
    (j : 'I_n.+1) : V :=
  if unlift ord0 j is Some k then phi k else phi i.

Section Duplicate.
Variable R : rcfType.
Local Notation ten := (10%:R : R).

Lemma ten_neq0 : ten != 0.
Proof. by rewrite pnatr_eq0. Qed.

(** The witness: one sample, one neuron with the value 9·10⁻⁴, ε = 10⁻⁶. Before, λ_1 = 0.81·10⁻⁶
    and the ε-rank is 0; with the neuron twice, λ_1 = 1.62·10⁻⁶ and the ε-rank is 1. *)
Theorem duplicate_neuron_witness :
  exists phi : 'I_1 -> 'cV[R]_1,
    let G := gram (one_sample R) phi in let G' := gram (one_sample R) (duplicate phi 0) in
    [/\ eigval G 0 = 81%:R * ten ^- 8, epsrank G (ten ^- 6) = 0%N,
        eigval G' 0 = 162%:R * ten ^- 8 & epsrank G' (ten ^- 6) = 1%N].
Proof.
have ten0 := ten_neq0; pose a : R := 9%:R * ten ^- 4.
pose u n : 'rV[R]_n := const_mx a.
have a2 : a ^+ 2 = 81%:R * ten ^- 8 by rewrite /a; field.
have sqn_u n : sqn (u n) = (n * 81)%:R * ten ^- 8.
  rewrite sqnE (eq_bigr (fun=> a ^+ 2)) => [|i _]; last by rewrite mxE.
  by rewrite sumr_const card_ord a2 -[LHS]mulr_natl mulrA -natrM.
have eps_ge0 : 0 <= ten ^- 6 by rewrite invr_ge0 exprn_ge0 ?ler0n.
have lt_eps k : (ten ^- 6 < k%:R * ten ^- 8) = (100 < k)%N.
  have -> : ten ^- 6 = 100%:R * ten ^- 8 by field.
  by rewrite ltr_pmul2r ?invr_gt0 ?exprn_gt0 ?ltr0n // ltr_nat.
have dupE : gram (one_sample R) (duplicate (neurons (u 1%N)) 0) =
    gram (one_sample R) (neurons (u 2%N)).
  apply/matrixP => i j; rewrite !mxE.
  by congr (dot _ _ _); rewrite /duplicate /neurons; case: unlift => [k|]; rewrite !mxE.
exists (neurons (u 1%N)); rewrite dupE; split.
- by rewrite gram_one eigval_rank1 sqn_u mul1n.
- by rewrite epsrank_one // sqn_u lt_eps.
- by rewrite gram_one eigval_rank1 sqn_u.
by rewrite epsrank_one // sqn_u lt_eps.
Qed.

(** "Duplicating a neuron cannot raise the ε-rank" is false. *)
Theorem duplicate_neuron :
  ~ (forall (V : lmodType R) (B : preHilbert V) n (phi : 'I_n -> V) (i : 'I_n) eps, 0 < eps ->
       (epsrank (gram B (duplicate phi i)) eps <= epsrank (gram B phi) eps)%N).
Proof.
case: duplicate_neuron_witness => phi [_ r0 _ r1] claim.
have eps_gt0 : 0 < ten ^- 6 by rewrite invr_gt0 exprn_gt0 ?ltr0n.
by have := claim _ (one_sample R) _ phi 0 _ eps_gt0; rewrite r0 r1.
Qed.

Variables (V : lmodType R) (B : preHilbert V).

(** True instead: duplicating a neuron never lowers the ε-rank, and at most doubles λ, so
    r_ε(φ) ≤ r_ε(φ with φ_i twice) ≤ r_{ε/2}(φ). *)
Theorem duplicate_neuron_bounds n (phi : 'I_n -> V) (i : 'I_n) eps :
  0 <= eps ->
  (epsrank (gram B phi) eps <= epsrank (gram B (duplicate phi i)) eps
     <= epsrank (gram B phi) (eps / 2%:R))%N.
Proof.
move=> eps_ge0; apply/andP; split.
  have phiE : gram B phi = gram B (duplicate phi i \o lift ord0).
    by apply/matrixP => j k; rewrite !mxE /duplicate /= !liftK.
  by rewrite {1}phiE; apply: rank_monotone_select; apply: lift_inj.
pose T : 'M[R]_(n, n.+1) :=
  \matrix_(k, j) if unlift ord0 j is Some l then (k == l)%:R else (k == i)%:R.
have delta_sum l : \sum_k (k == l)%:R *: phi k = phi l.
  rewrite (bigD1 l) //= eqxx scale1r big1 ?addr0 // => k /negPf->.
  by rewrite scale0r.
have -> : gram B (duplicate phi i) = gram B (mix phi T).
  have dupE j : duplicate phi i j = mix phi T j.
    rewrite /duplicate /mix; case E: (unlift ord0 j) => [l|]; rewrite -delta_sum;
      by apply: eq_bigr => k _; rewrite mxE E.
  by apply/matrixP => j k; rewrite !mxE !dupE.
rewrite gram_mix; apply: rank_mixing_upper; [exact: gram_sym | by [] | by rewrite ltr0n |].
move=> x; have xT k : (x *m T^T) 0 k = x 0 ord0 * (k == i)%:R + x 0 (lift ord0 k).
  rewrite mxE big_ord_recl !mxE unlift_none; congr (_ + _).
  rewrite (bigD1 k) //= big1 => [|j /negPf nejk]; rewrite !mxE liftK ?eqxx ?mulr1 ?addr0 //.
  by rewrite eq_sym nejk mulr0.
have sq (a b : R) : (a + b) ^+ 2 <= 2%:R * (a ^+ 2 + b ^+ 2).
  by rewrite -subr_ge0 (_ : _ - _ = (a - b) ^+ 2) ?sqr_ge0 //; ring.
rewrite !sqnE [in X in _ <= X]big_ord_recl.
have -> : x 0 ord0 ^+ 2 = \sum_k (x 0 ord0 * (k == i)%:R) ^+ 2.
  rewrite (bigD1 i) //= eqxx mulr1 big1 ?addr0 // => k /negPf->.
  by rewrite mulr0 expr0n.
by rewrite -big_split mulr_sumr; apply: ler_sum => k _; rewrite xT; apply: sq.
Qed.

End Duplicate.

(** ** "Listing neurons by any map of indices never raises the ε-rank" *)

Section Listing.
Variable R : rcfType.

(** M3 needs distinct neurons: with repetitions allowed it is false (G = (1), listed twice:
    λ_1 = 1 becomes 2, at ε = 1). *)
Theorem noninjective_selection :
  ~ (forall m n (f : 'I_m -> 'I_n) (G : 'M[R]_n) eps,
       symmetric G -> (forall x, 0 <= qf G x) -> 0 < eps ->
       (epsrank (mxsub f f G) eps <= epsrank G eps)%N).
Proof.
move=> claim; pose u n : 'rV[R]_n := const_mx 1.
have sqn_u n : sqn (u n) = n%:R.
  by rewrite sqnE (eq_bigr (fun=> 1)) => [|i _]; rewrite ?mxE ?expr1n // sumr_const card_ord.
have := claim 2%N 1%N (fun=> 0) _ 1 (rank1_sym (u 1%N)) (rank1_ge0 (u 1%N)) ltr01.
have -> : mxsub (fun=> 0) (fun=> 0) ((u 1%N)^T *m u 1%N) = (u 2%N)^T *m u 2%N.
  by apply/matrixP => i j; rewrite !mxE !big_ord1 !mxE.
by rewrite !epsrank_rank1 ?ler01 // !sqn_u ltxx ltr1n.
Qed.

End Listing.

(** ** "A linear map of the features never loses rank" *)

Section LinearMap.
Variable R : rcfType.

(** False for invertible maps, at a positive ε (φ = 1, φT = 1/2, ε = 1/2: λ = 1 becomes 1/4). *)
Theorem linear_map_can_lose_epsrank :
  ~ (forall (V : lmodType R) (B : preHilbert V) n (phi : 'I_n -> V) (T : 'M[R]_n) eps,
       T \in unitmx -> 0 < eps ->
       (epsrank (gram B phi) eps <= epsrank (gram B (mix phi T)) eps)%N).
Proof.
move=> claim; pose h : R := 2%:R^-1; have h_gt0 : 0 < h by rewrite invr_gt0 ltr0n.
have h_lt1 : h < 1 by rewrite invf_lt1 ?ltr1n ?ltr0n.
have unitT : h%:M \in @unitmx R 1 by rewrite -scalemx1 unitmxZ ?unitmx1 // unitfE gt_eqF.
have := claim _ (one_sample R) _ (neurons 1%:M) _ _ unitT h_gt0.
rewrite gram_one_mix gram_one !epsrank_rank1 ?(ltW h_gt0) // mul1mx.
rewrite !sqnE !big_ord1 !mxE /= !mulr1n expr1n h_lt1.
by rewrite expr2 ltNge ger_pmull // ltW.
Qed.

(** False for the rank itself (ε = 0), even when T ≠ 0: φ = (1, 0), and T sends (φ_1, φ_2) to
    (0, φ_2). By M6 ([rank_mixing_zero]) it is true at ε = 0 for invertible T. *)
Theorem linear_map_can_lose_rank :
  ~ (forall (V : lmodType R) (B : preHilbert V) n (phi : 'I_n -> V) (T : 'M[R]_n),
       T != 0 -> (epsrank (gram B phi) 0 <= epsrank (gram B (mix phi T)) 0)%N).
Proof.
move=> claim; pose u : 'rV[R]_2 := delta_mx 0 0; pose T : 'M[R]_2 := delta_mx 1 1.
have T0 : T != 0.
  by apply/eqP => /matrixP/(_ 1 1) /eqP; rewrite !mxE !eqxx oner_eq0.
have := claim _ (one_sample R) _ (neurons u) T T0.
rewrite gram_one_mix gram_one mul_delta_mx_0 // !epsrank_rank1 //.
rewrite (_ : sqn (0 : 'rV_2) = 0) ?ltxx; last by apply/eqP; rewrite sqn_eq0.
rewrite sqn_gt0; case: eqP => // /matrixP/(_ 0 0) /eqP.
by rewrite !mxE !eqxx oner_eq0.
Qed.

End LinearMap.

(** ** "The next layer σ(Wφ + b) never loses rank" *)

Section NextLayer.
Variable R : rcfType.

Definition relu (x : R) : R := Num.max 0 x.

Definition next_layer (sigma : R -> R) N n m (W : 'M[R]_(m, n)) (b : 'I_m -> R)
    (phi : 'I_n -> 'cV[R]_N) (i : 'I_m) : 'cV[R]_N :=
  \col_k sigma (\sum_j W i j * phi j k 0 + b i).

(** Two neurons on two samples: φ_1 = (1, 0), φ_2 = (0, 1). *)
Definition unit_neurons (j : 'I_2) : 'cV[R]_2 := delta_mx j 0.

(** Their ε-rank is 2 for every ε < 1. *)
Lemma epsrank_unit_neurons eps : eps < 1 -> epsrank (gram (samples R 2) unit_neurons) eps = 2%N.
Proof.
move=> eps_lt1; have -> : gram (samples R 2) unit_neurons = 1%:M.
  apply/matrixP => i j; rewrite !mxE /= /data_dot (bigD1 i) //= big1 => [|k /negPf nek].
    by rewrite !mxE !eqxx !andbT addr0 !mul1r eq_sym.
  by rewrite !mxE nek mul0r mulr0.
have sym1 : symmetric (1%:M : 'M[R]_2) by rewrite /symmetric trmx1.
apply/eqP; rewrite eqn_leq epsrank_leq //= -{1}(mxrank1 R 2).
apply: epsrank_max => // x _ x0.
by rewrite qf_scalar ltr_pmul2r // sqn_gt0.
Qed.

Lemma next_layer_unit_neurons sigma m (W : 'M[R]_(m, 2)) b i k :
  next_layer sigma W b unit_neurons i k 0 = sigma (W i k + b i).
Proof.
rewrite mxE (bigD1 k) //= mxE !eqxx mulr1 big1 ?addr0 // => j /negPf nej.
by rewrite mxE eq_sym nej mulr0.
Qed.

(** Whatever the activation σ, some W and b send φ to features of ε-rank at most 1. *)
Theorem any_layer_can_lose_rank (sigma : R -> R) :
  exists (W : 'M[R]_2) (b : 'I_2 -> R), forall eps, 0 <= eps < 1 ->
    epsrank (gram (samples R 2) unit_neurons) eps = 2%N /\
    (epsrank (gram (samples R 2) (next_layer sigma W b unit_neurons)) eps <= 1)%N.
Proof.
exists 0, (fun=> 0) => eps /andP[eps_ge0 eps_lt1]; rewrite epsrank_unit_neurons //; split=> //.
set G := gram _ _; apply: leq_trans (rank_monotone_eps _ eps_ge0) _.
rewrite epsrank_rank_neurons -/G.
have -> : G = const_mx (sigma 0 * sigma 0 *+ 2) *m (const_mx 1 : 'rV[R]_2).
  apply/matrixP => i j; rewrite /G mxE [RHS]mxE big_ord1 /= /data_dot.
  rewrite (eq_bigr (fun=> sigma 0 * sigma 0)) => [|k _].
    by rewrite sumr_const card_ord !mxE mulr1.
  by rewrite !next_layer_unit_neurons !mxE addr0 mul1r.
exact: leq_trans (mxrankM_maxl _ _) (rank_leq_col _).
Qed.

(** For ReLU an invertible W does it, without a dead neuron and from non-negative features (as a
    ReLU layer gives them): W = (1 −1; 1 −2) sends φ_1 = (1, 0), φ_2 = (0, 1) to (1, 0), (1, 0). *)
Theorem relu_layer_witness :
  exists W : 'M[R]_2, W \in unitmx /\ forall eps, 0 <= eps < 1 ->
    epsrank (gram (samples R 2) unit_neurons) eps = 2%N /\
    epsrank (gram (samples R 2) (next_layer relu W (fun=> 0) unit_neurons)) eps = 1%N.
Proof.
pose W : 'M[R]_2 := \matrix_(i, j) if j == 0 then 1 else - i.+1%:R.
exists W; split.
  rewrite unitmxE (expand_det_col _ 0) !big_ord_recl big_ord0 /cofactor !det_mx11 !mxE /=.
  by rewrite /bump /= !addn0 !addr0 expr0 expr1 (_ : _ + _ = - 1) ?unitrN1 //; ring.
move=> eps /andP[eps_ge0 eps_lt1]; rewrite epsrank_unit_neurons //; split=> //.
have -> : gram (samples R 2) (next_layer relu W (fun=> 0) unit_neurons) =
    (const_mx 1 : 'rV_2)^T *m const_mx 1.
  apply/matrixP => i j; rewrite mxE [RHS]mxE big_ord1 /= /data_dot !big_ord_recl big_ord0.
  rewrite !next_layer_unit_neurons !mxE /= !addr0 /relu (max_idPr ler01).
  by rewrite !(max_idPl _) ?oppr_le0 ?ler0n // !mulr0 addr0 !mul1r.
rewrite epsrank_rank1 // sqnE (eq_bigr (fun=> 1)) => [|i _]; last by rewrite mxE expr1n.
by rewrite sumr_const card_ord (lt_trans eps_lt1) ?ltr1n.
Qed.

(** "The next layer never loses ε-rank" is false, also for ReLU with an invertible W. *)
Theorem next_layer_can_lose_rank :
  ~ (forall N n (phi : 'I_n -> 'cV[R]_N) (W : 'M[R]_n) (b : 'I_n -> R) eps,
       W \in unitmx -> 0 <= eps ->
       (epsrank (gram (samples R N) phi) eps <=
        epsrank (gram (samples R N) (next_layer relu W b phi)) eps)%N).
Proof.
case: relu_layer_witness => W [unitW lose] claim.
have /lose[r2 r1] : 0 <= (0 : R) < 1 by rewrite lexx ltr01.
by have := claim _ _ unit_neurons W (fun=> 0) 0 unitW (lexx 0); rewrite r2 r1.
Qed.

End NextLayer.
