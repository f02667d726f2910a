(** * The loss floor is attained (F4)

    - [floor_attained]       for any features whatever with λ_{p+1} > 0, some target and some β of
                             any norm b give equality in the floor at p;
    - [floor_tight_spectrum] on a data set of n points with any positive weights, features with any
                             prescribed spectrum λ_1, …, λ_p > ε = λ_{p+1} ≥ λ_{p+2}, …;
    - [floor_tight]          for all n, p < n, ε > 0, b ≥ 0, α ≥ √ε b: features of ε-rank p, a
                             target at distance α from Ψ_p, ‖β‖ = b, and exactly
                             ‖u − u*‖ = α − √ε b.
    Columns of the feature matrix [Phi] are neurons, its rows samples; [col j Phi] is φ_j. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral projection floor.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Attained.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V).
Variables (n : nat) (phi : 'I_n -> V) (Q : 'M[R]_n) (p : 'I_n) (b alpha : R).

Local Notation lambda := (eigval (gram B phi) p).

(** F4, for any features with λ_{p+1} > 0: the target α ψ_{p+1} / √λ_{p+1} and β = b q_{p+1} turn
    the floor ‖u − u*‖ ≥ d_p − √λ_{p+1} ‖β‖ into an equality, with d_p = α and ‖β‖ = b. *)
Theorem floor_attained
    (us := (alpha / Num.sqrt lambda) *: psi phi Q p) (beta := b *: row p Q) :
  diagonalises Q (gram B phi) -> 0 < lambda -> 0 <= b -> Num.sqrt lambda * b <= alpha ->
  [/\ enorm beta = b, dist B phi Q p us = alpha
    & nrm B (comb phi beta - us) = alpha - Num.sqrt lambda * b].
Proof.
move=> diagQ lam_gt0 b0 le_alpha; have s_gt0 : 0 < Num.sqrt lambda by rewrite sqrtr_gt0.
have alpha0 : 0 <= alpha by apply: le_trans le_alpha; rewrite mulr_ge0 ?sqrtr_ge0.
have nrm_psi : nrm B (psi phi Q p) = Num.sqrt lambda by rewrite /nrm nrm2_psi.
split.
- have [QQ _] := diagQ; rewrite /enorm sqnZ.
  suff -> : sqn (row p Q) = 1 by rewrite mulr1 sqrtr_sqr ger0_norm.
  have := congr1 (fun M : 'M_n => M p p) QQ; rewrite !mxE eqxx; apply: etrans.
  by rewrite sqnE; apply: eq_bigr => i _; rewrite !mxE expr2.
- have -> : dist B phi Q p us = nrm B us.
    rewrite /dist /proj big1 ?subr0 // => k /andP[lt_kp _].
    rewrite /us dotZl dot_psi // (_ : p == k = false) ?mulr0 ?mul0r ?scale0r //.
    by apply/negbTE; apply: contraTneq lt_kp => ->; rewrite ltnn.
  by rewrite nrmZ nrm_psi ger0_norm ?divr_ge0 ?(ltW s_gt0) // divfK ?gt_eqF.
rewrite combZ -/(psi phi Q p) -scalerBl nrmZ nrm_psi distrC -[X in _ * X](gtr0_norm s_gt0).
by rewrite -normrM mulrBl divfK ?gt_eqF // mulrC ger0_norm // subr_ge0.
Qed.

End Attained.

Lemma card_lt_ord n p : (p <= n)%N -> #|[set i : 'I_n | (i < p)%N]| = p.
Proof.
move=> le_pn; rewrite -sum1dep_card -(big_ord_widen n (fun=> 1%N) le_pn).
by rewrite sum_nat_const card_ord muln1.
Qed.

Section Tight.
Variables (R : rcfType) (n : nat) (w : 'rV[R]_n).
Hypothesis w_gt0 : forall i, 0 < w 0 i.

Let w_ge0 i : 0 <= w 0 i := ltW (w_gt0 i).

(** F4 with a prescribed spectrum: given weights w > 0 on n data, numbers λ_1, …, λ_p > ε = λ_{p+1},
    and λ_k ≤ ε for k > p + 1, there are n features on these data with Gram matrix diag(λ), a target
    u* and output weights β such that r_ε = p, d_p = α, ‖β‖ = b and ‖u − u*‖ = α − √ε b. *)
Theorem floor_tight_spectrum (lambda : 'rV[R]_n) (p : 'I_n) (eps b alpha : R) :
  (forall k, 0 <= lambda 0 k) -> 0 < eps -> lambda 0 p = eps ->
  (forall k : 'I_n, (k < p)%N -> eps < lambda 0 k) ->
  (forall k : 'I_n, (p < k)%N -> lambda 0 k <= eps) ->
  0 <= b -> Num.sqrt eps * b <= alpha ->
  exists (Phi : 'M[R]_n) (us : 'cV[R]_n) (beta : 'rV[R]_n),
  let B := data_form w_ge0 in let phi := fun j => col j Phi in
  [/\ gram B phi = diag_mx lambda, epsrank (gram B phi) eps = p, enorm beta = b,
      forall Q, diagonalises Q (gram B phi) -> dist B phi Q p us = alpha
    & nrm B (comb phi beta - us) = alpha - Num.sqrt eps * b].
Proof.
move=> lambda0 eps0 lambda_p above below b0 le_alpha.
have alpha0 : 0 <= alpha by apply: le_trans le_alpha; rewrite mulr_ge0 ?sqrtr_ge0.
pose r k : R := Num.sqrt (w 0 k); have r_gt0 k : 0 < r k by rewrite sqrtr_gt0.
pose e : 'cV[R]_n := (r p)^-1 *: delta_mx p 0.
pose Phi : 'M[R]_n := diag_mx (\row_k (Num.sqrt (lambda 0 k) / r k)).
pose B := data_form w_ge0; pose phi := fun j => col j Phi.
have GE : gram B phi = diag_mx lambda.
  rewrite gram_data tr_diag_mx !mulmx_diag; congr diag_mx; apply/rowP => k; rewrite !mxE.
  rewrite mulrAC mulf_div -[w 0 k](sqr_sqrtr (w_ge0 k)) -/(r k) -!expr2 sqr_sqrtr //.
  by rewrite divfK ?expf_neq0 ?gt_eqF.
have rank_p : epsrank (gram B phi) eps = p.
  rewrite (@epsrank_intrinsic _ _ 1%:M _ lambda) ?trmx1 ?mulmx1 ?mul1mx //.
  rewrite -(card_lt_ord (ltnW (ltn_ord p))); apply: eq_card => k; rewrite !inE.
  case: (ltngtP k p) => [/above -> //|/below|/val_inj ->]; last by rewrite lambda_p ltxx.
  by rewrite leNgt => /negbTE.
have nrm_e a : nrm B (a *: e) = `|a|.
  rewrite nrmZ (_ : nrm B e = 1) ?mulr1 //.
  rewrite /nrm /nrm2 /= /data_dot (bigD1 p) //= big1 => [|k ne_kp].
    rewrite !mxE !eqxx mulr1 addr0 -[w 0 p](sqr_sqrtr (w_ge0 p)) -/(r p) -expr2 -exprMn.
    by rewrite divff ?gt_eqF // expr1n sqrtr1.
  by rewrite !mxE (negbTE ne_kp) !mulr0.
have phi_p : phi p = Num.sqrt eps *: e.
  apply/colP => k; rewrite !mxE eqxx andbT.
  by case: eqP => [->|_]; rewrite ?lambda_p ?mulr1 ?mulr0 ?mulr1n ?mulr0n.
exists Phi, (alpha *: e), (b *: delta_mx 0 p); split=> //.
- rewrite /enorm sqnZ (_ : sqn _ = 1) ?mulr1 ?sqrtr_sqr ?ger0_norm //.
  rewrite sqnE (bigD1 p) //= big1 => [|k ne_kp]; rewrite !mxE ?eqxx ?expr1n ?addr0 //.
  by rewrite (negbTE ne_kp) expr0n.
- move=> Q diagQ; have symG := gram_sym B phi.
  rewrite /dist (_ : proj _ _ _ _ _ = 0) ?subr0 ?nrm_e ?ger0_norm //.
  apply: big1 => k /andP[lt_kp _]; rewrite (_ : dot _ _ _ = 0) ?mul0r ?scale0r //.
  (* q_k is an eigenvector for an eigenvalue above ε, so its p-th entry vanishes *)
  have lam_k : eps < eigval (gram B phi) k by rewrite -epsrank_gtP ?rank_p.
  have Qkp : Q k p = 0.
    have [QQ GQ] := diagQ; have QG : Q *m gram B phi = diag_mx (spectrum_row (gram B phi)) *m Q.
      by rewrite {1}GQ !mulmxA QQ mul1mx.
    have := congr1 (fun M : 'M_n => M k p) QG; rewrite /= mul_diag_mx {1}GE mul_mx_diag !mxE.
    move/eqP; rewrite lambda_p mulrC -subr_eq0 -mulrBl mulf_eq0 subr_eq0.
    by rewrite (lt_eqF lam_k) => /eqP.
  rewrite dotZl /psi /comb dot_sumr big1 ?mulr0 // => j _; rewrite mxE dotZr.
  have [->|ne_jp] := eqVneq j p; first by rewrite Qkp mul0r.
  rewrite /= /data_dot big1 ?mulr0 // => i _; rewrite !mxE.
  have [->|] := eqVneq i p; last by rewrite !mulr0 mul0r mulr0.
  by rewrite (eq_sym p) (negbTE ne_jp) mulr0n !mulr0.
have -> : comb phi (b *: delta_mx 0 p) = b *: phi p.
  rewrite combZ /comb (bigD1 p) //= big1 => [|k ne_kp]; rewrite !mxE ?eqxx ?scale1r ?addr0 //.
  by rewrite (negbTE ne_kp) scale0r.
by rewrite phi_p scalerA -scalerBl nrm_e distrC [b * _]mulrC ger0_norm // subr_ge0.
Qed.

(** F4, the floor is tight: for all n, p < n, ε > 0, b ≥ 0, α ≥ √ε b and any positive weights on n
    data there are n features of ε-rank p, a target u* at distance α from Ψ_p, and output weights β
    with ‖β‖ = b and ‖u − u*‖ = α − √ε b. *)
Theorem floor_tight (p : nat) (eps b alpha : R) :
  (p < n)%N -> 0 < eps -> 0 <= b -> Num.sqrt eps * b <= alpha ->
  exists (Phi : 'M[R]_n) (us : 'cV[R]_n) (beta : 'rV[R]_n),
  let B := data_form w_ge0 in let phi := fun j => col j Phi in
  [/\ epsrank (gram B phi) eps = p, enorm beta = b,
      forall Q, diagonalises Q (gram B phi) -> dist B phi Q p us = alpha
    & nrm B (comb phi beta - us) = alpha - Num.sqrt eps * b].
Proof.
move=> lt_pn eps0 b0 le_alpha; pose lambda : 'rV[R]_n := \row_k (eps + (k < p)%:R).
have lambda0 k : 0 <= lambda 0 k by rewrite mxE addr_ge0 ?ler0n ?ltW.
have [|k lt_kp|k lt_pk|//|//|Phi [us [beta [GE *]]]] :=
    @floor_tight_spectrum lambda (Ordinal lt_pn) eps b alpha lambda0 eps0.
- by rewrite mxE ltnn addr0.
- by rewrite mxE lt_kp ltr_addl ltr01.
- by rewrite mxE ltnNge ltnW // addr0.
by exists Phi, us, beta.
Qed.

End Tight.
