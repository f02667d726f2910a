(** * The reachable loss V(b) exists, and is found by one secular equation (F3)

    V(b) = min over ‖β‖ ≤ b (over ‖W‖_F ≤ b for k outputs) of the loss:
    - [cross us]           the row (⟨u*, φ_1⟩, …, ⟨u*, φ_n⟩);
    - [ridge us mu]        Σ_k ⟨u*, ψ_k⟩ / (λ_k + μ) q_k, the minimiser of ‖φ·β − u*‖² + μ ‖β‖²;
    - the secular equation Σ_k ⟨u*, ψ_k⟩² / (λ_k + μ)² = b², in the one unknown μ > 0.
    For k outputs the same μ serves all outputs, and ⟨u*, ψ_k⟩² is summed over them. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From EpsRank Require Import form spectral selection projection floor outputs.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** The secular equation: for λ_k ≥ 0, a_k ≥ 0 (with a_k = 0 where λ_k = 0, and 0/0 = 0) and b > 0,
    either Σ a_k / λ_k² ≤ b², or some μ > 0 solves Σ a_k / (λ_k + μ)² = b². *)
Theorem secular_equation (R : rcfType) n (lambda a : 'I_n -> R) (b : R) :
  (forall k, 0 <= lambda k) -> (forall k, 0 <= a k) -> (forall k, lambda k = 0 -> a k = 0) ->
  0 < b ->
  \sum_k a k / lambda k ^+ 2 <= b ^+ 2 \/
  (exists2 mu, 0 < mu & \sum_k a k / (lambda k + mu) ^+ 2 = b ^+ 2).
Proof.
move=> lam0 a0 a_null b0; pose P k := a k != 0.
have lam_gt0 k : P k -> 0 < lambda k.
  by move=> ak; rewrite lt_def lam0 andbT; apply: contra_neq ak; exact: a_null.
pose s x := \sum_k a k / (lambda k + x) ^+ 2.
have sE x : s x = \sum_(k | P k) a k / (lambda k + x) ^+ 2.
  rewrite [RHS]big_mkcond; apply: eq_bigr => k _; rewrite /P.
  by case: eqP => //= ->; rewrite mul0r.
have [|s_gt] := lerP (\sum_k a k / lambda k ^+ 2) (b ^+ 2); [by left | right].
pose D x := \prod_(k | P k) (lambda k + x) ^+ 2.
have D_gt0 x : 0 <= x -> 0 < D x.
  by move=> x0; apply: prodr_gt0 => k /lam_gt0 lk; rewrite exprn_gt0 // ltr_paddr.
(* the polynomial D(X) (b² − s(X)) *)
pose q : {poly R} := (b ^+ 2)%:P * \prod_(k | P k) ((lambda k)%:P + 'X) ^+ 2
  - \sum_(k | P k) (a k)%:P * \prod_(j | P j && (j != k)) ((lambda j)%:P + 'X) ^+ 2.
have hornerD_prod (A : pred 'I_n) x :
    (\prod_(k | A k) ((lambda k)%:P + 'X) ^+ 2).[x] = \prod_(k | A k) (lambda k + x) ^+ 2.
  by rewrite horner_prod; apply: eq_bigr => k _; rewrite horner_exp !hornerE.
have qE x : 0 <= x -> q.[x] = D x * (b ^+ 2 - s x).
  move=> x0; rewrite /q hornerD hornerN hornerM hornerC hornerD_prod mulrC mulrBr.
  congr (_ - _); rewrite horner_sum sE mulr_sumr; apply: eq_bigr => k Pk.
  rewrite hornerM hornerC hornerD_prod /D [in RHS](bigD1 k) //=.
  rewrite [RHS]mulrC -[RHS]mulrA mulKf //.
  by rewrite expf_neq0 // gt_eqF // ltr_paddr ?lam_gt0.
pose S := \sum_k a k; have S0 : 0 <= S by apply: sumr_ge0.
pose M := Num.sqrt S / b + 1.
have M0 : 0 < M by rewrite ltr_paddl ?ltr01 // divr_ge0 ?sqrtr_ge0 ?ltW.
have q0 : q.[0] <= 0.
  rewrite qE // pmulr_rle0 ?D_gt0 // subr_le0 ltW //; apply: lt_le_trans s_gt _.
  by rewrite le_eqVlt; apply/orP; left; apply/eqP/eq_bigr => k _; rewrite addr0.
have qM : 0 <= q.[M].
  rewrite qE ?(ltW M0) // mulr_ge0 ?(ltW (D_gt0 _ _)) ?(ltW M0) // subr_ge0.
  have le_S : S <= (b * M) ^+ 2.
    rewrite -[S]sqr_sqrtr // ler_sqr2 ?sqrtr_ge0 ?mulr_ge0 ?(ltW b0) ?(ltW M0) //.
    by rewrite mulrDr [b * (_ / _)]mulrC divfK ?gt_eqF // mulr1 ler_addl ltW.
  apply: (@le_trans _ _ (S / M ^+ 2)); last first.
    by rewrite ler_pdivr_mulr ?exprn_gt0 // -exprMn.
  rewrite mulr_suml; apply: ler_sum => k _; rewrite ler_wpmul2l //.
  have lM_gt0 : 0 < lambda k + M by rewrite ltr_paddl.
  rewrite lef_pinv ?posrE ?exprn_gt0 //.
  by rewrite ler_sqr2 ?(ltW lM_gt0) ?(ltW M0) // ler_addr.
have q0M : q.[0] <= 0 <= q.[M] by rewrite q0.
have [mu /andP[mu0 _] /rootP] := poly_ivt (ltW M0) q0M.
rewrite qE // => /eqP; rewrite mulf_eq0 gt_eqF ?D_gt0 //= subr_eq0 => /eqP sE'.
exists mu; last by [].
rewrite lt_def mu0 andbT; apply: contraTneq s_gt => mu_eq0.
rewrite sE' -leNgt mu_eq0; apply: ler_sum => k _; by rewrite addr0.
Qed.

Section Reachable.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V).
Variables (n : nat) (phi : 'I_n -> V) (Q : 'M[R]_n).
Implicit Types (us : V) (beta : 'rV[R]_n) (mu b : R).

Local Notation G := (gram B phi).

Definition cross us : 'rV[R]_n := \row_j dot B us (phi j).

Definition ridge us mu : 'rV[R]_n :=
  (\row_k (dot B us (psi phi Q k) / (eigval G k + mu))) *m Q.

Lemma dot_cross us beta : dot B us (comb phi beta) = (cross us *m beta^T) 0 0.
Proof. by rewrite dot_sumr mxE; apply: eq_bigr => j _; rewrite dotZr !mxE mulrC. Qed.

Lemma sqnD (x y : 'rV[R]_n) : sqn (x + y) = sqn x + sqn y + 2%:R * (x *m y^T) 0 0.
Proof.
have C : (y *m x^T) 0 0 = (x *m y^T) 0 0.
  by rewrite !mxE; apply: eq_bigr => i _; rewrite !mxE mulrC.
have addE (x' y' : 'M[R]_1) : (x' + y') 0 0 = x' 0 0 + y' 0 0 by rewrite mxE.
by rewrite /sqn linearD /= mulmxDl !mulmxDr !addE C [X in _ + X]addrC addrACA mulr_natl mulr2n.
Qed.

(** What a β loses against the ridge solution β₀, where β₀ (G + μ I) = (⟨u*, φ_j⟩)_j. *)
Lemma ridge_gap us mu beta0 beta :
  beta0 *m G + mu *: beta0 = cross us ->
  nrm2 B (comb phi beta - us) + mu * sqn beta =
  nrm2 B (comb phi beta0 - us) + mu * sqn beta0 +
  (nrm2 B (comb phi (beta - beta0)) + mu * sqn (beta - beta0)).
Proof.
move=> normal; pose d := beta - beta0; rewrite -/d.
have -> : beta = beta0 + d by rewrite addrC subrK.
have -> : comb phi (beta0 + d) - us = (comb phi beta0 - us) + comb phi d.
  by rewrite combD addrAC.
have dotE : dot B (comb phi beta0 - us) (comb phi d) = - (mu * (beta0 *m d^T) 0 0).
  have addE (M M' : 'M[R]_1) : (M + M') 0 0 = M 0 0 + M' 0 0 by rewrite mxE.
  have scaleE a (M : 'M[R]_1) : (a *: M) 0 0 = a * M 0 0 by rewrite mxE.
  rewrite dotBl dot_comb dot_cross -normal mulmxDl -scalemxAl addE scaleE.
  by rewrite opprD addrA subrr add0r.
rewrite (nrm2D B (comb phi beta0 - us)) sqnD dotE.
set x := nrm2 B (comb phi d); set y := sqn d; set z := nrm2 B _; set t := _ 0 0.
by ring.
Qed.

(** Ridge regression: if μ ≥ 0 and β₀ (G + μ I) = (⟨u*, φ_j⟩)_j, then β₀ minimises
    ‖φ·β − u*‖² + μ ‖β‖². *)
Theorem ridge_optimal us mu beta0 beta :
  0 <= mu -> beta0 *m G + mu *: beta0 = cross us ->
  nrm2 B (comb phi beta0 - us) + mu * sqn beta0 <= nrm2 B (comb phi beta - us) + mu * sqn beta.
Proof.
move=> mu0 normal; rewrite (ridge_gap beta normal).
by rewrite ler_addl addr_ge0 ?nrm2_ge0 // mulr_ge0 ?sqn_ge0.
Qed.

(** A certified lower bound of V(b) from any μ ≥ 0, be it exact or not: with β₀ the ridge solution
    of μ, ‖φ·β − u*‖² ≥ ‖φ·β₀ − u*‖² + μ (‖β₀‖² − b²) for ‖β‖ ≤ b. *)
Theorem reachable_dual us mu beta0 b beta :
  0 <= mu -> beta0 *m G + mu *: beta0 = cross us -> enorm beta <= b ->
  nrm2 B (comb phi beta0 - us) + mu * (sqn beta0 - b ^+ 2) <= nrm2 B (comb phi beta - us).
Proof.
move=> mu0 normal le_b; have b0 : 0 <= b by apply: le_trans le_b; exact: enorm_ge0.
rewrite mulrBr addrA ler_subl_addr; apply: le_trans (ridge_optimal beta mu0 normal) _.
by rewrite ler_add2l ler_wpmul2l // -sqr_enorm ler_sqr2 ?enorm_ge0.
Qed.

Hypothesis diagQ : diagonalises Q G.

(** The ridge solution solves its normal equations β (G + μ I) = (⟨u*, φ_j⟩)_j. *)
Lemma ridge_normal us mu : 0 <= mu -> ridge us mu *m G + mu *: ridge us mu = cross us.
Proof.
move=> mu0; have [QQ GE] := diagQ; have QQ' := mulmx1C QQ.
set c := \row_k (dot B us (psi phi Q k) / (eigval G k + mu)).
have -> : ridge us mu *m G = c *m diag_mx (spectrum_row G) *m Q.
  have QG : Q *m G = diag_mx (spectrum_row G) *m Q by rewrite {1}GE !mulmxA QQ mul1mx.
  by rewrite /ridge -/c -mulmxA QG mulmxA.
rewrite /ridge -/c scalemxAl -mulmxDl.
have -> : c *m diag_mx (spectrum_row G) + mu *: c = cross us *m Q^T.
  apply/rowP => k; rewrite mul_mx_diag; rewrite !mxE.
  have -> : \sum_j cross us 0 j * Q^T j k = dot B us (psi phi Q k).
    by rewrite /psi dot_cross mxE; apply: eq_bigr => j _; rewrite !mxE.
  rewrite [mu * _]mulrC -mulrDr.
  have [lam0|lam_neq0] := eqVneq (eigval G k + mu) 0; last by rewrite divfK.
  rewrite lam0 mulr0 dot_psi_null //.
  by move/eqP: lam0; rewrite paddr_eq0 ?lam_ge0 // => /andP[/eqP].
by rewrite -mulmxA QQ' mulmx1.
Qed.

Lemma sqn_ridge us mu :
  sqn (ridge us mu) = \sum_k dot B us (psi phi Q k) ^+ 2 / (eigval G k + mu) ^+ 2.
Proof.
have [QQ _] := diagQ; rewrite -(sqn_orthogonal _ QQ) /ridge -mulmxA QQ mulmx1 sqnE.
by apply: eq_bigr => k _; rewrite mxE expr_div_n.
Qed.

(** The lower bound in closed form:
    D(μ) = ‖φ·β₀ − u*‖² + μ (‖β₀‖² − b²) = ‖u*‖² − Σ_k ⟨u*, ψ_k⟩² / (λ_k + μ) − μ b². *)
Theorem dual_value us mu b (beta0 := ridge us mu) :
  0 <= mu ->
  nrm2 B (comb phi beta0 - us) + mu * (sqn beta0 - b ^+ 2) =
  nrm2 B us - \sum_k dot B us (psi phi Q k) ^+ 2 / (eigval G k + mu) - mu * b ^+ 2.
Proof.
move=> mu0; rewrite mulrBr addrA; congr (_ - _).
have := ridge_gap 0 (ridge_normal us mu0); rewrite -/beta0 comb0 sub0r nrm2N sub0r.
rewrite combN nrm2N (_ : sqn 0 = 0) ?mulr0 ?addr0; last by rewrite /sqn mul0mx mxE.
rewrite (_ : sqn (- beta0) = sqn beta0); last by rewrite -scaleN1r sqnZ sqrrN expr1n mul1r.
move=> ->; set X := _ + mu * _; rewrite -[LHS](addrK (nrm2 B (comb phi beta0) + mu * sqn beta0)).
congr (_ - _); rewrite nrm2_comb (qf_spectral _ diagQ) /beta0 sqn_ridge mulr_sumr -big_split /=.
apply: eq_bigr => k _; have [QQ _] := diagQ; rewrite /ridge -mulmxA QQ mulmx1 mxE.
have [lam0|lam_neq0] := eqVneq (eigval G k + mu) 0; last by field.
have lam_null : eigval G k = 0.
  by move/eqP: lam0; rewrite paddr_eq0 ?lam_ge0 // => /andP[/eqP].
by rewrite (dot_psi_null diagQ) // expr0n !mul0r expr0n !mulr0 addr0.
Qed.

(** V(b) is attained, for b > 0 by the ridge solution of some μ ≥ 0, where μ = 0 or ‖β₀‖ = b. *)
Theorem reachable_secular us b :
  0 < b -> exists mu, [/\ 0 <= mu, enorm (ridge us mu) <= b, mu = 0 \/ enorm (ridge us mu) = b
    & forall beta, enorm beta <= b ->
        nrm2 B (comb phi (ridge us mu) - us) <= nrm2 B (comb phi beta - us)].
Proof.
move=> b0; have [mu [mu0 le_b slack]] : exists mu,
    [/\ 0 <= mu, enorm (ridge us mu) <= b & mu = 0 \/ enorm (ridge us mu) = b].
  pose a (k : 'I_n) := dot B us (psi phi Q k) ^+ 2.
  have a_ge0 k : 0 <= a k by exact: sqr_ge0.
  have a_null (k : 'I_n) : eigval G k = 0 -> a k = 0.
    by rewrite /a => /(dot_psi_null diagQ) ->; rewrite expr0n.
  have [le|[mu mu0 eq]] := secular_equation (fun k : 'I_n => lam_ge0 B phi k) a_ge0 a_null b0.
    exists 0; split; [by [] | | by left].
    rewrite -ler_sqr2 ?enorm_ge0 ?(ltW b0) // sqr_enorm sqn_ridge.
    by under eq_bigr do rewrite addr0.
  have nrm_b : enorm (ridge us mu) = b.
    by rewrite /enorm sqn_ridge eq sqrtr_sqr ger0_norm ?ltW.
  by exists mu; rewrite nrm_b ltW //; split=> //; right.
exists mu; split=> // beta /(reachable_dual mu0 (ridge_normal us mu0)).
by apply: le_trans; rewrite -sqr_enorm; case: slack => ->; rewrite ?mul0r ?subrr ?mulr0 addr0.
Qed.

(** F3: V(b) exists and is attained, and floor_p(b)² ≤ envelope(b)² ≤ V(b) ≤ loss over the ball. *)
Theorem reachable_minimum us b :
  0 <= b -> exists beta0, let m := nrm2 B (comb phi beta0 - us) in
  [/\ enorm beta0 <= b, forall beta, enorm beta <= b -> m <= nrm2 B (comb phi beta - us),
      envelope B phi Q us b ^+ 2 <= m
    & forall p, (p <= n)%N -> floor_at B phi Q us p b ^+ 2 <= envelope B phi Q us b ^+ 2].
Proof.
move=> b0; suff [beta0 le_b least] : exists2 beta0, enorm beta0 <= b &
    forall beta, enorm beta <= b -> nrm2 B (comb phi beta0 - us) <= nrm2 B (comb phi beta - us).
  exists beta0; split=> // [|p le_pn]; first exact: envelope_on_ball.
  exact: floor_le_envelope.
move: b0; rewrite le_eqVlt => /orP[/eqP <-|b0]; last first.
  by have [mu [_ le_b _ least]] := reachable_secular us b0; exists (ridge us mu).
have enorm0 : enorm (0 : 'rV[R]_n) = 0 by rewrite /enorm /sqn mul0mx mxE sqrtr0.
exists 0; rewrite ?enorm0 // => beta; rewrite le_eqVlt ltNge enorm_ge0 orbF sqrtr_eq0.
by rewrite le_eqVlt ltNge sqn_ge0 orbF sqn_eq0 => /eqP ->.
Qed.

End Reachable.

Section ReachableOutputs.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V).
Variables (n : nat) (phi : 'I_n -> V) (Q : 'M[R]_n) (k : nat).
Implicit Types (us : 'I_k -> V) (W : 'M[R]_(n, k)) (mu b : R).

Local Notation G := (gram B phi).

Definition ridges us mu : 'M[R]_(n, k) := \matrix_(j, l) ridge B phi Q (us l) mu 0 j.

Lemma col_ridges us mu l : (col l (ridges us mu))^T = ridge B phi Q (us l) mu.
Proof. by apply/rowP => j; rewrite !mxE. Qed.

Hypothesis diagQ : diagonalises Q G.

Lemma frob2_ridges us mu :
  frob2 (ridges us mu) =
  \sum_i (\sum_l dot B (us l) (psi phi Q i) ^+ 2) / (eigval G i + mu) ^+ 2.
Proof.
rewrite frob2E; under eq_bigr do rewrite col_ridges sqn_ridge //.
by rewrite exchange_big; apply: eq_bigr => i _; rewrite mulr_suml.
Qed.

(** The certified lower bound of V(b) for k outputs, from any μ ≥ 0, with W₀ its ridge solution:
    ‖φW − u*‖² ≥ ‖φW₀ − u*‖² + μ (‖W₀‖_F² − b²) for ‖W‖_F ≤ b. *)
Theorem reachable_dual_outputs us mu b W :
  0 <= mu -> frob W <= b ->
  loss2 B phi (ridges us mu) us + mu * (frob2 (ridges us mu) - b ^+ 2) <= loss2 B phi W us.
Proof.
move=> mu0 le_b; have b0 : 0 <= b by apply: le_trans le_b; exact: frob_ge0.
rewrite mulrBr addrA ler_subl_addr; apply: (@le_trans _ _ (loss2 B phi W us + mu * frob2 W)).
  rewrite /loss2 !frob2E !mulr_sumr -!big_split; apply: ler_sum => l _ /=.
  rewrite /output col_ridges; exact: (ridge_optimal _ mu0 (ridge_normal diagQ _ mu0)).
by rewrite ler_add2l ler_wpmul2l // -sqr_frob ler_sqr2 ?frob_ge0.
Qed.

(** For k outputs V(b) is attained, for b > 0 by the ridge solutions of one μ ≥ 0 for all outputs,
    where μ = 0 or ‖W₀‖_F = b. *)
Theorem reachable_secular_outputs us b :
  0 < b -> exists mu, [/\ 0 <= mu, frob (ridges us mu) <= b, mu = 0 \/ frob (ridges us mu) = b
    & forall W, frob W <= b -> loss2 B phi (ridges us mu) us <= loss2 B phi W us].
Proof.
move=> b0; have [mu [mu0 le_b slack]] : exists mu,
    [/\ 0 <= mu, frob (ridges us mu) <= b & mu = 0 \/ frob (ridges us mu) = b].
  pose a i := \sum_l dot B (us l) (psi phi Q i) ^+ 2.
  have a_ge0 i : 0 <= a i by apply: sumr_ge0 => l _; exact: sqr_ge0.
  have a_null (i : 'I_n) : eigval G i = 0 -> a i = 0.
    by move=> /(dot_psi_null diagQ) null; apply: big1 => l _; rewrite null expr0n.
  have [le|[mu mu0 eq]] := secular_equation (fun i : 'I_n => lam_ge0 B phi i) a_ge0 a_null b0.
    exists 0; split; [by [] | | by left].
    rewrite -ler_sqr2 ?frob_ge0 ?(ltW b0) // sqr_frob frob2_ridges.
    by under eq_bigr do rewrite addr0.
  have nrm_b : frob (ridges us mu) = b.
    by rewrite /frob frob2_ridges eq sqrtr_sqr ger0_norm ?ltW.
  by exists mu; rewrite nrm_b ltW //; split=> //; right.
exists mu; split=> // W /(reachable_dual_outputs us mu0); apply: le_trans.
by rewrite -sqr_frob; case: slack => ->; rewrite ?mul0r ?subrr ?mulr0 addr0.
Qed.

(** F3 for k outputs: V(b) exists and is attained, and floor_p(b)² ≤ envelope(b)² ≤ V(b) ≤ loss over
    the ball. *)
Theorem reachable_minimum_outputs us b :
  0 <= b -> exists W0, let m := loss2 B phi W0 us in
  [/\ frob W0 <= b, forall W, frob W <= b -> m <= loss2 B phi W us,
      envelopes B phi Q us b ^+ 2 <= m
    & forall p, (p <= n)%N -> floors_at B phi Q us p b ^+ 2 <= envelopes B phi Q us b ^+ 2].
Proof.
move=> b0; suff [W0 le_b least] : exists2 W0, frob W0 <= b &
    forall W, frob W <= b -> loss2 B phi W0 us <= loss2 B phi W us.
  exists W0; split=> // [|p le_pn]; first exact: envelopes_on_ball.
  exact: floors_le_envelopes.
move: b0; rewrite le_eqVlt => /orP[/eqP <-|b0]; last first.
  by have [mu [_ le_b _ least]] := reachable_secular_outputs us b0; exists (ridges us mu).
have frob0 : frob (0 : 'M[R]_(n, k)) = 0.
  by rewrite /frob /frob2 big1 ?sqrtr0 // => j _; apply: big1 => l _; rewrite mxE expr0n.
exists 0; rewrite ?frob0 // => W; rewrite le_eqVlt ltNge frob_ge0 orbF sqrtr_eq0 => le0.
suff -> : W = 0 by [].
apply/matrixP => j l; rewrite mxE; apply/eqP; rewrite -sqrf_eq0 eq_le sqr_ge0 andbT.
apply: le_trans le0; rewrite /frob2 (bigD1 j) //= (bigD1 l) //= -addrA ler_addl.
rewrite addr_ge0 ?sumr_ge0 // => i _; first exact: sqr_ge0.
by apply: sumr_ge0 => h _; exact: sqr_ge0.
Qed.

End ReachableOutputs.
