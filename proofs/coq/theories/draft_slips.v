(** * Two slips of the draft, with witnesses, and what is true

    - [eps_independent B phi eps]  ‖Σ_j c_j φ_j‖ > ε for every c with |c| = 1: the draft's
                                   ε-linear independence;
    - [eigval G n] for n + 1 neurons, the smallest eigenvalue λ_min;
    - [proj B phi Q p u]           P_p u, the projection onto the first p eigenfeatures;
    - [one_sample], [neurons u]    the data space of one sample, and neurons with values u_j. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From EpsRank Require Import form spectral rank trace rankone projection.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** ε-linear independence: the threshold on the norm is √ε, not ε *)

Section Independence.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V).

Definition eps_independent n (phi : 'I_n -> V) (eps : R) : Prop :=
  forall c, sqn c = 1 -> eps < nrm B (comb phi c).

(** What is true: √ε-linear independence of n neurons says exactly that r_ε = n. *)
Theorem independence_rank n (phi : 'I_n -> V) eps :
  0 <= eps -> eps_independent phi (Num.sqrt eps) <-> epsrank (gram B phi) eps = n.
Proof.
move=> eps_ge0; have symG := gram_sym B phi; split=> [indep | rank_n c c1].
  apply/eqP; rewrite eqn_leq epsrank_leq //= -{1}(mxrank1 R n).
  apply: epsrank_max => // x _ x0; pose s := Num.sqrt (sqn x).
  have s2 : s ^+ 2 = sqn x by rewrite sqr_sqrtr ?sqn_ge0.
  have s2_gt0 : 0 < s ^+ 2 by rewrite s2 sqn_gt0.
  have lt_nrm : Num.sqrt eps < nrm B (comb phi (s^-1 *: x)).
    by apply: indep; rewrite sqnZ -s2 exprVn mulVf // gt_eqF.
  have := lt_nrm; rewrite ltr_sqrt => [|]; last first.
    by rewrite -sqrtr_gt0; apply: le_lt_trans lt_nrm; rewrite sqrtr_ge0.
  by rewrite combZ nrm2Z exprVn mulrC ltr_pdivl_mulr // s2 nrm2_comb.
have [W freeW posW] := epsrank_attained eps symG.
have fullW : row_full W by rewrite /row_full (eqP freeW) rank_n.
have c0 : c != 0 by rewrite -sqn_gt0 c1 ltr01.
have := posW c (submx_full _ fullW) c0; rewrite c1 mulr1 -nrm2_comb => lt_eps.
by rewrite ltr_sqrt // (le_lt_trans eps_ge0).
Qed.

(** The same with λ_min: the neurons are √ε-linearly independent if and only if λ_min > ε. *)
Theorem independence_eigval n (phi : 'I_n.+1 -> V) eps :
  0 <= eps -> eps_independent phi (Num.sqrt eps) <-> eps < eigval (gram B phi) n.
Proof.
move=> eps_ge0; have symG := gram_sym B phi; apply: iff_trans (independence_rank phi eps_ge0) _.
rewrite -epsrank_gtP //; split=> [-> // | lt_n].
by apply/eqP; rewrite eqn_leq epsrank_leq.
Qed.

End Independence.

Section Witnesses.
Variable R : rcfType.
Local Notation ten := (10%:R : R).

(** One neuron of norm a on one sample: λ_min = a², and ‖cφ‖ = a for |c| = 1. *)
Lemma one_neuron (a : R) :
  0 < a -> eigval (gram (one_sample R) (neurons a%:M)) 0 = a ^+ 2 /\
    forall c : 'rV_1, sqn c = 1 -> nrm (one_sample R) (comb (neurons a%:M) c) = a.
Proof.
move=> a_gt0; have sqn_a : sqn (a%:M : 'rV_1) = a ^+ 2 by rewrite sqnE big_ord1 mxE mulr1n.
split=> [|c c1]; first by rewrite gram_one eigval_rank1.
rewrite /nrm nrm2_comb gram_one qf_rank1 !mxE big_ord1 !mxE mulr1n exprMn.
have -> : c 0 0 ^+ 2 = 1 by rewrite -c1 sqnE big_ord1.
by rewrite mul1r sqrtr_sqr gtr0_norm.
Qed.

(** Slip 1: "ε-linearly independent if and only if λ_min > ε" is false, already from left to
    right and for ε < 1: a single neuron of norm 10⁻⁴ is 10⁻⁶-independent, but λ_min = 10⁻⁸. *)
Theorem slip_independence :
  ~ (forall (V : lmodType R) (B : preHilbert V) n (phi : 'I_n.+1 -> V) eps, 0 < eps -> eps < 1 ->
       eps_independent B phi eps -> eps < eigval (gram B phi) n).
Proof.
move=> claim; pose d : R := ten^-1.
have d_gt0 : 0 < d by rewrite invr_gt0 ltr0n.
have d_lt1 : d < 1 by rewrite invf_lt1 ?ltr0n ?ltr1n.
have lt_pow i j : (d ^+ i < d ^+ j) = (j < i)%N by rewrite ltr_iexpn2l.
have [lam norm] := one_neuron (exprn_gt0 4 d_gt0).
have indep : eps_independent (one_sample R) (neurons (d ^+ 4)%:M) (d ^+ 6).
  by move=> c /norm->; rewrite lt_pow.
have := claim _ _ _ _ _ (exprn_gt0 6 d_gt0) (lt_pow 6%N 0%N) indep.
by rewrite lam -exprM lt_pow.
Qed.

(** The other half fails for ε > 1: a neuron of norm 2 has λ_min = 4 > 3, and is not
    3-independent. *)
Theorem slip_independence_converse :
  ~ (forall (V : lmodType R) (B : preHilbert V) n (phi : 'I_n.+1 -> V) eps, 0 < eps ->
       eps < eigval (gram B phi) n -> eps_independent B phi eps).
Proof.
move=> claim; have [lam norm] := one_neuron (ltr0n R 2).
have lt34 : 3%:R < eigval (gram (one_sample R) (neurons 2%:R%:M)) 0.
  by rewrite lam -natrX ltr_nat.
have c1 : sqn (1%:M : 'rV[R]_1) = 1 by rewrite sqnE big_ord1 mxE mulr1n expr1n.
have := claim _ _ _ _ _ (ltr0n R 3) lt34 _ c1.
by rewrite norm // ltr_nat.
Qed.

End Witnesses.

(** ** The constant in the draft's bound: C², not C *)

Section Constant.
Variable R : rcfType.

(** Slip 2, the witness: one neuron of norm 1 and ε = 1, so λ_1 = ε is not counted and p = r_ε = 0.
    For every C, β = C gives ‖u − P_p u‖² = εC², which exceeds εC as soon as C > 1.
    (That ε|β|² always suffices is the theorem [tail_epsrank].) *)
Theorem slip_constant_witness (C : R) :
  let phi := neurons (1%:M : 'rV[R]_1) in let u := comb phi C%:M in
  [/\ epsrank (gram (one_sample R) phi) 1 = 0%N, sqn (C%:M : 'rV[R]_1) = C ^+ 2 &
      forall Q, nrm2 (one_sample R) (u - proj (one_sample R) phi Q 0 u) = 1 * C ^+ 2].
Proof.
have sqn_c (a : R) : sqn (a%:M : 'rV_1) = a ^+ 2 by rewrite sqnE big_ord1 mxE mulr1n.
split=> // [|Q]; first by rewrite epsrank_one ?ler01 // sqn_c expr1n ltxx.
rewrite /proj big_pred0 // subr0 nrm2_comb gram_one trmx1 mul1mx qf_scalar.
by rewrite sqn_c.
Qed.

(** Slip 2: "‖β‖ ≤ C implies ‖u − P_p u‖² ≤ Cε with p = r_ε" is false. *)
Theorem slip_constant :
  ~ (forall (V : lmodType R) (B : preHilbert V) n (phi : 'I_n -> V) (Q : 'M[R]_n) beta C eps,
       diagonalises Q (gram B phi) -> 0 < eps -> 0 <= C -> sqn beta <= C ^+ 2 ->
       let u := comb phi beta in
       nrm2 B (u - proj B phi Q (epsrank (gram B phi) eps) u) <= eps * C).
Proof.
move=> claim; have [r0 sqn2 tail] := slip_constant_witness 2%:R.
have [Q diagQ] := spectral_theorem (gram_sym (one_sample R) (neurons (1%:M : 'rV[R]_1))).
have := claim _ _ _ _ _ (2%:R%:M) 2%:R _ diagQ ltr01 (ler0n _ _); rewrite sqn2 lexx r0.
move=> /(_ erefl) bound; have : 1 * 2%:R ^+ 2 <= 1 * 2%:R :> R by rewrite -(tail Q).
by rewrite !mul1r -natrX ler_nat.
Qed.

(** Two neurons on three samples: φ_1 = (1, 1, 0), φ_2 = (0, 1, 1); G = (2 1; 1 2). *)
Definition chain (j : 'I_2) : 'cV[R]_3 := \col_k ((k == j :> nat) || (k == j.+1 :> nat))%:R.

Lemma qf_chain (x : 'rV[R]_2) :
  qf (gram (samples R 3) chain) x =
    2%:R * (x 0 0 ^+ 2 + x 0 0 * x 0 (lift ord0 ord0) + x 0 (lift ord0 ord0) ^+ 2).
Proof.
rewrite /qf !mxE !big_ord_recl big_ord0 !mxE !big_ord_recl !big_ord0 !mxE /= /data_dot.
rewrite !big_ord_recl !big_ord0 !mxE /=.
move: (x 0 (lift ord0 ord0)) => b; rewrite (_ : ord0 = 0 :> 'I_2); last exact: val_inj.
move: (x 0 0) => a; rewrite !(mulr0, mul0r, mul1r, addr0, add0r).
by match goal with |- @eq _ ?l ?r => change (@eq R l r) end; ring.
Qed.

(** At ε = 1 its ε-rank is 1: the eigenvalues are 3 and 1. *)
Lemma epsrank_chain : epsrank (gram (samples R 3) chain) 1 = 1%N.
Proof.
have symG := gram_sym (samples R 3) chain.
pose v (a : R) : 'rV[R]_2 := \row_j (if j == 0 then 1 else a).
have rank_v a : \rank (v a) = 1%N.
  rewrite rank_rV; case: eqP => // /matrixP/(_ 0 0) /eqP.
  by rewrite !mxE oner_eq0.
have sqnE2 (x : 'rV[R]_2) : sqn x = x 0 0 ^+ 2 + x 0 (lift ord0 ord0) ^+ 2.
  by rewrite sqnE !big_ord_recl big_ord0 addr0.
have upper : (epsrank (gram (samples R 3) chain) 1 + \rank (v (-1)%R) <= 2)%N.
  apply: epsrank_min => // x /sub_rVP[c ->].
  by rewrite qf_chain sqnE2 !mxE /= le_eqVlt; apply/orP; left; apply/eqP; ring.
have lower : (\rank (v 1%R) <= epsrank (gram (samples R 3) chain) 1)%N.
  apply: epsrank_max => // x /sub_rVP[c ->]; rewrite scaler_eq0 negb_or => /andP[c0 _].
  rewrite qf_chain sqnE2 !mxE /= -subr_gt0 (_ : _ - _ = 4%:R * c ^+ 2); last by ring.
  by rewrite mulr_gt0 ?ltr0n // exprn_even_gt0.
by apply/eqP; rewrite eqn_leq; move: upper lower; rewrite !rank_v addn1 ltnS => -> ->.
Qed.

(** Slip 2 in the draft's own form, with its factor (p + 1)(n − p)²: "of n neurons with r_ε = p,
    0 < p < n, some p suffice for ‖u − v‖² ≤ C (p + 1)(n − p)² ε" is false. Here v ranges over all
    combinations of p of the neurons. The witness has n = 2, p = 1, ε = 1, C = 5, β = (3, −3):
    the left side is at least 13.5, the right side is 10. *)
Theorem slip_constant_draft :
  ~ (forall (V : lmodType R) (B : preHilbert V) n (phi : 'I_n -> V) (beta : 'rV[R]_n) C eps,
       let p := epsrank (gram B phi) eps in
       (0 < p < n)%N -> 0 < eps -> 0 <= C -> sqn beta <= C ^+ 2 ->
       exists (f : 'I_p -> 'I_n) (gamma : 'rV[R]_p),
         nrm2 B (comb phi beta - comb (phi \o f) gamma)
           <= C * ((p.+1) * (n - p) ^ 2)%:R * eps).
Proof.
move=> claim; pose beta : 'rV[R]_2 := \row_j (if j == 0 then 3%:R else - 3%:R).
have := claim _ (samples R 3) _ chain beta 5%:R 1; cbv zeta; rewrite epsrank_chain.
have le_C : sqn beta <= 5%:R ^+ 2.
  rewrite sqnE !big_ord_recl big_ord0 !mxE /= addr0 sqrrN -!natrX -natrD.
  by rewrite ler_nat.
move=> /(_ erefl ltr01 (ler0n _ _) le_C) [f [gamma]].
set g := gamma 0 0; have -> : comb (chain \o f) gamma = comb chain (g *: delta_mx 0 (f 0)).
  rewrite /comb big_ord1 (bigD1 (f 0)) //= !mxE !eqxx mulr1 big1 ?addr0 // => j /negPf nej.
  by rewrite !mxE nej mulr0 scale0r.
rewrite -combB nrm2_comb qf_chain !mxE eqxx /=.
rewrite (_ : (2 * (2 - 1) ^ 2)%N = 2%N) // leNgt => /negP; apply; rewrite -subr_gt0.
have half2 : (2%:R : R) != 0 by rewrite pnatr_eq0.
have pos (a : R) : 0 < (a ^+ 2 + 7%:R) / 2%:R.
  by rewrite divr_gt0 ?ltr0n // ltr_spaddr ?ltr0n ?sqr_ge0.
have [->|->] : f 0 = 0 \/ f 0 = lift ord0 ord0.
  by case: (f 0) => [[|[|//]] lt_2]; [left | right]; apply: val_inj.
  by rewrite eqxx /= (_ : _ - _ = ((2%:R * g - 3%:R) ^+ 2 + 7%:R) / 2%:R) //; field.
by rewrite eqxx /= (_ : _ - _ = ((2%:R * g + 3%:R) ^+ 2 + 7%:R) / 2%:R) //; field.
Qed.

End Constant.
