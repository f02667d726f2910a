(** * A verified checker of ε-ranks for wide layers, and for Gram matrices known up to a bound (C2)

    The ε-rank is bracketed by two sums of signed squares. For vectors u_1, …, u_K and signs ±:
    - if  G − εI + Σ_{−} u_k u_kᵀ  is positive definite, r_ε(G) ≥ n − #{−};
    - if  G − εI − Σ_{+} u_k u_kᵀ  is negative semidefinite, r_ε(G) ≤ #{+}.
    So two signed factorisations, of G − (ε + t)I and of G − (ε − t)I, with few digits, are a
    certificate; t leaves room for what the digits leave out, and for ‖G − G̃‖. Each costs n³/6
    products of short integers, because the u_k may be given as rows that end early (a triangle).
    - [signed s u]          the list u with the signs of s (true for +);
    - [signed_products s L] the matrix Σ_k ±L_ik L_jk;
    - [residual m A P]      A − 2^m P;
    - [check_near a G t eps cert r]   for the symmetric matrix G̃ = G/2^a and every G with
                            |x(G − G̃)xᵀ| ≤ t|x|²: the ε-rank of G is r;
    - [check_rounded a G eps cert r]  for every symmetric matrix whose entries, rounded to multiples of
                            2^−a, are those of G̃: they differ by 2^−(a+1) at most;
    - [check_wide d eps cert r]       for the Gram matrix of a measurement d, of which [bits cert] low
                            bits of the features are left out. *)

From Coq Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From mathcomp.zify Require Import ssrZ.
From EpsRank Require Import form spectral zmatrix inertia minors measurement check_rank brackets.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Sound.
Variable R : rcfType.
Local Notation zr := (zr R).

(** The brackets are right: what they enclose is the ε-rank of every G that is near enough. *)
Theorem check_brackets_sound n (G : 'M[R]_n) eps c A K den cert r :
  0 < c -> symmetric G -> size A = n ->
  (forall x, `|c * qf (G - eps%:M) x - qf (mx R n A) x| * zr (Zpos den) <= zr K * sqn x) ->
  check_brackets A K den cert r -> epsrank G eps = r.
Proof.
move=> c0 symG An near /and5P[symA /eqP]; rewrite An => Ln /eqP Hn low_count /and3P[high_count].
move=> /allP low /allP high; set m := exponent cert in low high.
have den0 : 0 < zr (Zpos den) := zr_pos _ _.
have p0 : 0 < 2%:R ^+ m :> R by rewrite exprn_gt0 ?ltr0n.
apply/eqP; rewrite eqn_leq; apply/andP; split.
  set s := above_signs cert in high high_count; set L := above_rows cert in Hn high.
  apply: leq_trans high_count; rewrite -(count_signs_set s id).
  pose f := Num.sqrt (2%:R ^+ m / c).
  have f2 : f ^+ 2 = 2%:R ^+ m / c by rewrite sqr_sqrtr // ltW // divr_gt0.
  apply: (bracket_above (U := f *: factor_mx R n s L)) => // x.
  rewrite -(ler_pmul2l c0) mulr_sumr.
  under eq_bigr => k _.
    rewrite -scalemxAr mxE exprMn f2 mulrA [c * _]mulrC divfK ?gt_eqF //; over.
  rewrite -mulr_sumr.
  have := near x; set q := qf (G - _) x; set a := qf (mx R n A) x => near_x.
  have aE := qf_residual m A s x Hn; rewrite -/a in aE.
  set E := residual _ _ _ _ in aE; have symE := residual_sym R m s Hn An symA; rewrite -/E in symE.
  have Eneg : qf (mx R n E) x * zr (Zpos den) <= - (zr K * sqn x).
    have symN : symmetric (- mx R n E) by rewrite /symmetric linearN /= symE.
    have := qf_dominant x symN; rewrite qfN => dom; rewrite ler_oppr -mulNr.
    apply: le_trans (ler_wpmul2r (ltW den0) dom).
    rewrite sqnE mulr_sumr mulr_suml; apply: ler_sum => i _; rewrite mulrAC.
    rewrite ler_wpmul2r ?sqr_ge0 //; have := high i; rewrite mem_iota ltn_ord => /(_ isT).
    rewrite -(zr_le R) zrM => le_K; apply: le_trans le_K _; rewrite ler_wpmul2r ?(ltW den0) //.
    apply: le_trans (margin_le R false m A _ i) _; rewrite -/E [(- mx R n E) i i]mxE.
    rewrite ler_add2l ler_opp2 le_eqVlt; apply/orP; left; apply/eqP.
    by apply: eq_bigr => k _; rewrite mxE normrN.
  have le_q : c * q <= a - qf (mx R n E) x.
    rewrite -(ler_pmul2r den0) mulrBl; move: near_x; rewrite -[X in _ * X](gtr0_norm den0) -normrM.
    rewrite mulrBl => /ler_normlW; rewrite ler_subl_addl => /le_trans; apply.
    by rewrite ler_add2l ler_oppr.
  apply: le_trans le_q _; rewrite aE addrK ler_wpmul2l ?(ltW p0) //.
  rewrite [X in X <= _](bigID (fun k : 'I_(size s) => nth false s k)) /=.
  rewrite -[X in _ <= X]addr0; apply: ler_add.
    rewrite le_eqVlt; apply/orP; left; apply/eqP; apply: eq_big => [k|k ks]; first by rewrite inE.
    by rewrite mxE ks mul1r.
  rewrite -oppr_ge0 -sumrN; apply: sumr_ge0 => k /negbTE ks.
  by rewrite mxE ks mulN1r opprK sqr_ge0.
set s := below_signs cert in low low_count; set L := below_rows cert in Ln low.
have le_r : (r <= n - count negb s)%N by rewrite -(leq_add2r (count negb s)) subnK //; apply: leq_trans low_count; rewrite leq_addl.
apply: leq_trans le_r _; rewrite -(count_signs_set s negb).
pose f := Num.sqrt (2%:R ^+ m / c).
have f2 : f ^+ 2 = 2%:R ^+ m / c by rewrite sqr_sqrtr // ltW // divr_gt0.
apply: (bracket_below (U := f *: factor_mx R n s L)) => // x x0.
rewrite -(pmulr_rgt0 _ c0) mulrDr mulr_sumr.
under eq_bigr => k _.
  rewrite -scalemxAr mxE exprMn f2 mulrA [c * _]mulrC divfK ?gt_eqF //; over.
rewrite -mulr_sumr.
have := near x; set q := qf (G - _) x; set a := qf (mx R n A) x => near_x.
have aE := qf_residual m A s x Ln; rewrite -/a in aE.
set E := residual _ _ _ _ in aE; have symE := residual_sym R m s Ln An symA; rewrite -/E in symE.
have Epos : zr K * sqn x < qf (mx R n E) x * zr (Zpos den).
  have := qf_dominant x symE => dom; apply: lt_le_trans (ler_wpmul2r (ltW den0) dom).
  have step i : zr K < (mx R n E i i - off (mx R n E) i) * zr (Zpos den).
    have := low i; rewrite mem_iota ltn_ord => /(_ isT).
    rewrite -(zr_lt R) zrM => /lt_le_trans; apply; rewrite ler_wpmul2r ?(ltW den0) //.
    exact: (margin_le R true m A).
  rewrite sqnE mulr_sumr mulr_suml -subr_gt0 -sumrB.
  have [i xi] : exists i, x 0 i != 0.
    apply/existsP; rewrite -negb_forall; apply: contra x0 => /forallP x0.
    by apply/eqP/rowP => i; rewrite mxE; apply/eqP.
  have term j : 0 <= (mx R n E j j - off (mx R n E) j) * x 0 j ^+ 2 * zr (Zpos den) - zr K * x 0 j ^+ 2.
    by rewrite mulrAC -mulrBl mulr_ge0 ?sqr_ge0 // subr_ge0 ltW.
  rewrite (bigD1 i) //= ltr_paddr ?sumr_ge0 // mulrAC -mulrBl mulr_gt0 ?subr_gt0 //.
  by rewrite lt_def sqrf_eq0 xi sqr_ge0.
have lt_q : a - qf (mx R n E) x < c * q.
  rewrite -(ltr_pmul2r den0) mulrBl; move: near_x; rewrite -[X in _ * X](gtr0_norm den0) -normrM.
  rewrite mulrBl distrC => /ler_normlW; rewrite ler_subl_addr -ler_subl_addl => /(lt_le_trans _); apply.
  by rewrite ltr_add2l ltr_opp2.
rewrite -ltr_subl_addr sub0r; apply: le_lt_trans lt_q; rewrite aE addrK -mulrN ler_wpmul2l ?(ltW p0) //.
rewrite [X in _ <= X](bigID (fun k : 'I_(size s) => nth false s k)) /= -[X in X <= _]add0r; apply: ler_add.
  by apply: sumr_ge0 => k ks; rewrite mxE ks mul1r sqr_ge0.
rewrite -sumrN le_eqVlt; apply/orP; left; apply/eqP; apply: eq_big => [k|k]; first by rewrite inE.
by rewrite inE => /negbTE ks; rewrite [sign_row _ _ _ _]mxE ks mulN1r.
Qed.


(** An entrywise bound gives one of the form: |x M xᵀ| ≤ n κ |x|² where |M_ij| ≤ κ. *)
Lemma qf_entries n (M : 'M[R]_n) kappa (x : 'rV[R]_n) :
  (forall i j, `|M i j| <= kappa) -> `|qf M x| <= n%:R * kappa * sqn x.
Proof.
move=> le_M; have [n0|n_gt0] := posnP n.
  have -> : x = 0 by apply/rowP => k; have := ltn_ord k; rewrite [X in (_ < X)%N]n0.
  have -> : qf M 0 = 0 by rewrite /qf !mul0mx mxE.
  by have -> : sqn (0 : 'rV[R]_n) = 0 by [rewrite /sqn mul0mx mxE]; rewrite normr0 mulr0.
have k0 : 0 <= kappa by apply: le_trans (le_M (Ordinal n_gt0) (Ordinal n_gt0)).
rewrite qfE; apply: le_trans (ler_norm_sum _ _ _) _.
apply: le_trans (_ : kappa * (\sum_i `|x 0 i|) ^+ 2 <= _).
  rewrite expr2 mulr_suml mulr_sumr; apply: ler_sum => i _.
  apply: le_trans (ler_norm_sum _ _ _) _; rewrite mulr_sumr mulr_sumr; apply: ler_sum => j _.
  by rewrite !normrM ler_wpmul2r ?mulr_ge0.
rewrite [n%:R * _]mulrC -mulrA ler_wpmul2l //.
have := cauchy_sum (fun=> 1) (fun i => `|x 0 i|); rewrite sqnE.
under eq_bigr do rewrite mul1r.
under [X in _ <= X * _ -> _]eq_bigr do rewrite expr1n.
rewrite sumr_const card_ord => /le_trans; apply; rewrite le_eqVlt; apply/orP; left; apply/eqP.
by congr (_ * _); apply: eq_bigr => i _; rewrite real_normK ?num_real.
Qed.

End Sound.

(** ** The two checkers *)

(** Q·G − P·2^a·I, entry by entry, for ε = P/Q: a multiple of G/2^a − εI. *)
Definition shifted (a : nat) (G : seq (seq Z)) (eps : Q) : seq (seq Z) :=
  sheared (size G) 0 0 (Zpos (Qden eps)) (Z.shiftl (Qnum eps) (Z.of_nat a)) G.

(** For a Gram matrix that is known up to t in the spectral norm. *)
Definition check_near (a : nat) (G : seq (seq Z)) (t eps : Q) (cert : near_certificate) (r : nat)
    : bool :=
  let K := Z.mul (Z.shiftl (Zpos (Qden eps)) (Z.of_nat a)) (Qnum t) in
  check_brackets (shifted a G eps) K (Qden t) cert r && symmetric_rows G.

(** n 2^−(a+1): what rounding to multiples of 2^−a may change, in the spectral norm. *)
Definition rounding (a n : nat) : Q :=
  Qmake (Z.of_nat n) (Z.to_pos (Z.shiftl 1 (Z.of_nat a.+1))).

(** For a Gram matrix that was rounded to multiples of 2^−a. *)
Definition check_rounded (a : nat) (G : seq (seq Z)) (eps : Q) (cert : near_certificate) (r : nat)
    : bool := check_near a G (rounding a (size G)) eps cert r.

(** For the Gram matrix of a measurement. *)
Definition check_wide (d : measurement) (eps : Q) (cert : near_certificate) (r : nat) : bool :=
  let n := width d in
  let P := products (weights d) (cut_features (bits cert) (neurons d)) in
  let theta := Z.shiftl (Z.mul (Qnum eps) (Zpos (total d))) (Z.of_nat (scale d).*2) in
  let A := sheared n (bits cert) 0 (Zpos (Qden eps)) theta P in
  let kappa := Z.mul (Zpos (Qden eps)) (cut_error (bits cert) (weights d) (neurons d)) in
  rows_of (samples d) (neurons d) &&
    check_brackets A (Z.mul (Z.of_nat n) kappa) 1 cert r.

Section Checkers.
Variable R : rcfType.
Local Notation zr := (zr R).

(** C2: what the checker accepts is the ε-rank of every symmetric matrix G that is within t of the
    given one, |x(G − G̃)xᵀ| ≤ t|x|²: of the exact Gram matrix, where G̃ is one computed with rounding
    errors of at most t. *)
Theorem check_near_sound a G t eps cert r : check_near a G t eps cert r = true ->
  forall G' : 'M[R]_(size G), symmetric G' ->
  (forall x, `|qf (G' - given_gram R a G) x| <= qr R t * sqn x) ->
  epsrank G' (qr R eps) = r.
Proof.
move=> /andP[ok symG] G' symG' near.
pose e := zr (Zpos (Qden eps)); have e_gt0 : 0 < e := zr_pos _ _.
have p_gt0 : 0 < 2%:R ^+ a :> R by rewrite exprn_gt0 ?ltr0n.
have d_gt0 : 0 < zr (Zpos (Qden t)) := zr_pos _ _.
apply: (check_brackets_sound (c := e * 2%:R ^+ a)) ok; rewrite ?mulr_gt0 ?size_mkseq //.
move=> x; have -> : mx R (size G) (shifted a G eps) = (e * 2%:R ^+ a) *: (given_gram R a G - (qr R eps)%:M).
  apply/matrixP => i j; rewrite mxE entry_mkseq // Z.shiftr_0_r zrB zrM Z.shiftl_0_r -/e.
  rewrite !mxE mulrBr -val_eqE /= (fun_if zr) zr_shiftl /qr -/e (_ : zr Z0 = 0) //.
  move: (gt_eqF e_gt0) (gt_eqF p_gt0); move: (e) (_ ^+ a) (zr (entry G i j)) (zr (Qnum eps)).
  move=> y p g u y_neq0 p_neq0; case: eqP => _; last by rewrite mulr0n mulr0 !subr0 mulrAC -mulrA divfK ?p_neq0 // mulrC.
  by rewrite mulr1n; field; rewrite y_neq0 p_neq0.
rewrite qfZ -mulrBr -qfB opprB addrA subrK normrM gtr0_norm ?mulr_gt0 //.
rewrite zrM zr_shiftl -/e -[X in X <= _]mulrA -[X in _ <= X]mulrA ler_pmul2l ?mulr_gt0 //.
apply: le_trans (ler_wpmul2r (ltW d_gt0) (near x)) _.
by rewrite /qr mulrAC divfK ?gt_eqF.
Qed.

Lemma zr_of_nat m : zr (Z.of_nat m) = m%:R.
Proof. by elim: m => [//|m IHm]; rewrite Nat2Z.inj_succ -Z.add_1_r zrD IHm -addn1 natrD. Qed.

Lemma qr_rounding a n : qr R (rounding a n) = n%:R * (2%:R ^+ a.+1)^-1.
Proof.
have p_gt0 : Z.lt 0 (Z.shiftl 1 (Z.of_nat a.+1)).
  by rewrite Z.shiftl_1_l; apply: Z.pow_pos_nonneg => //; apply: Nat2Z.is_nonneg.
rewrite /qr (_ : Qden _ = Z.to_pos (Z.shiftl 1 (Z.of_nat a.+1))) // Z2Pos.id // zr_shiftl.
by rewrite (_ : Qnum _ = Z.of_nat n) // zr_of_nat (_ : zr 1 = 1) // mul1r.
Qed.

(** C2, by entries: what the checker accepts is the ε-rank of every symmetric matrix whose entries are
    within half a unit, 2^−(a+1), of the given multiples of 2^−a: of the exact Gram matrix, where the
    given one is that matrix rounded. *)
Theorem check_rounded_sound a G eps cert r : check_rounded a G eps cert r = true ->
  forall G' : 'M[R]_(size G), symmetric G' ->
  (forall i j, `|G' i j - given_gram R a G i j| <= (2%:R ^+ a.+1)^-1) ->
  epsrank G' (qr R eps) = r.
Proof.
move=> ok G' symG' near; apply: check_near_sound ok _ symG' _ => x.
by rewrite qr_rounding; apply: qf_entries => i j; rewrite mxE [(- _ : 'M_ _) i j]mxE.
Qed.

(** What the checker accepts is the ε-rank of the measurement's Gram matrix. *)
Theorem check_wide_sound d eps cert r : check_wide d eps cert r = true ->
  epsrank (gram (on_data R d) (@phi R d)) (qr R eps) = r.
Proof.
move=> /andP[rowsF ok].
pose D := zr (Zpos (total d)); pose e := zr (Zpos (Qden eps)).
have D_gt0 : 0 < D := zr_pos _ _; have e_gt0 : 0 < e := zr_pos _ _.
have p_gt0 : 0 < 4%:R ^+ scale d :> R by rewrite exprn_gt0 ?ltr0n.
apply: (check_brackets_sound (c := e * (D * 4%:R ^+ scale d))) ok; rewrite ?mulr_gt0 ?size_mkseq //.
  exact: gram_sym.
move=> x; rewrite -qfZ -qfB (_ : zr 1 = 1) // mulr1 zrM.
rewrite zr_of_nat.
apply: qf_entries => i j; have := measured_close R eps (bits cert) 0 j i rowsF.
rewrite expr0 mulr1 (_ : left_out 0%N = Z0) // Z.add_0_r zrM -/e -/D => /(le_trans _); apply.
by rewrite !mxE [dot _ (phi R j) _]dotC [j == i]eq_sym.
Qed.

End Checkers.
