(** * A Gram matrix in floating point (C2)

    Floating-point arithmetic as its standard model has it: what is computed of a product or a sum is
    within a share u of it (2^−53 for float64), and within η more of a product that underflows.
    - [order N]              an order in which N terms are added: a tree, whose leaves are terms;
    - [leaves s], [depth s]  its terms, and how often the deepest of them is rounded;
    - [each_once s]          every one of the N terms is added exactly once;
    - [dot_of x y s]         Σ x_k y_k over the leaves of s;   [size_of x y s]   Σ |x_k y_k|;
    - [computed u eta x y s v]   v may be what arithmetic makes of Σ x_k y_k in the order s. A fused
                             multiply-add is one where the product is exact;
    - [gamma u d]            (1 + u)^d − 1, for small u about d u. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From EpsRank Require Import form spectral inertia minors selection outputs perturbation.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** An order of adding N terms. *)
Inductive order (N : nat) := Term of 'I_N | Add of order N & order N.

Section Order.
Variable N : nat.

Fixpoint leaves (s : order N) : seq 'I_N :=
  match s with Term k => [:: k] | Add a b => leaves a ++ leaves b end.

Fixpoint depth (s : order N) : nat :=
  match s with Term _ => 1 | Add a b => (maxn (depth a) (depth b)).+1 end.

(** Every term is added exactly once. *)
Definition each_once (s : order N) : Prop := perm_eq (leaves s) (enum 'I_N).

End Order.

Section Rounding.
Variables (R : rcfType) (u eta : R).
Hypotheses (u_ge0 : 0 <= u) (eta_ge0 : 0 <= eta).

Section Dot.
Variables (N : nat) (x y : 'I_N -> R).
Implicit Type s : order N.

Definition dot_of s : R := \sum_(k <- leaves s) x k * y k.
Definition size_of s : R := \sum_(k <- leaves s) `|x k * y k|.

(** What may be computed of Σ x_k y_k, in the order s. *)
Fixpoint computed s (v : R) : Prop :=
  match s with
  | Term k => `|v - x k * y k| <= u * `|x k * y k| + eta
  | Add a b => exists va vb, [/\ computed a va, computed b vb & `|v - (va + vb)| <= u * `|va + vb|]
  end.

End Dot.

(** (1 + u)^d − 1. *)
Definition gamma (d : nat) : R := (1 + u) ^+ d - 1.

Lemma pow_ge1 d : 1 <= (1 + u) ^+ d.
Proof. by apply: exprn_ege1; rewrite ler_addl. Qed.

Lemma gamma_ge0 d : 0 <= gamma d.
Proof. by rewrite subr_ge0 pow_ge1. Qed.

Lemma pow_le d d' : (d <= d')%N -> (1 + u) ^+ d <= (1 + u) ^+ d'.
Proof. by move=> le_d; apply: ler_weexpn2l; rewrite ?ler_addl. Qed.

Section Error.
Variables (N : nat) (x y : 'I_N -> R).
Implicit Type s : order N.

Lemma dot_le_size s : `|dot_of x y s| <= size_of x y s.
Proof. exact: ler_norm_sum. Qed.

(** A dot product, in any order of its sum: its error is at most γ Σ|x_k y_k| and what underflows. *)
Theorem dot_rounding s v : computed x y s v ->
  `|v - dot_of x y s| <= gamma (depth s) * size_of x y s + (1 + u) ^+ depth s * (size (leaves s))%:R * eta.
Proof.
elim: s v => [k|a IHa b IHb] v.
  rewrite /dot_of /size_of /= !big_seq1 /gamma !expr1 mulr1 [1 + u]addrC addrK => /le_trans; apply.
  by rewrite ler_add2l ler_pemull // ler_addr.
case=> va [vb [/IHa errA /IHb errB err]]; rewrite [depth _]/=; set m := maxn _ _.
pose q := (1 + u) ^+ m; have q1 : 1 <= q := pow_ge1 m.
have bound s w : (depth s <= m)%N -> `|w - dot_of x y s| <= gamma (depth s) * size_of x y s
    + (1 + u) ^+ depth s * (size (leaves s))%:R * eta ->
    `|w - dot_of x y s| <= (q - 1) * size_of x y s + q * ((size (leaves s))%:R * eta).
  move=> le_m /le_trans; apply; rewrite mulrA ler_add //.
    by rewrite ler_wpmul2r ?sumr_ge0 // ler_add2r pow_le.
  by rewrite ler_wpmul2r // ler_wpmul2r ?ler0n // pow_le.
have {errA} := bound _ _ (leq_maxl _ _) errA; have {errB} := bound _ _ (leq_maxr _ _) errB.
rewrite /dot_of /size_of /= !big_cat size_cat natrD /= -/(dot_of x y a) -/(dot_of x y b).
rewrite -/(size_of x y a) -/(size_of x y b) exprSr -/q.
have := dot_le_size a; have := dot_le_size b.
move: (dot_of x y a) (dot_of x y b) (size_of x y a) (size_of x y b) => da db sa sb le_b le_a.
move: (size (leaves a))%:R (size (leaves b))%:R => na nb errB errA.
have errAB : `|va + vb - (da + db)| <= (q - 1) * (sa + sb) + q * ((na + nb) * eta).
  rewrite (_ : va + vb - (da + db) = va - da + (vb - db)); last by ring.
  apply: le_trans (ler_norm_add _ _) _; apply: le_trans (ler_add errA errB) _.
  by rewrite le_eqVlt; apply/orP; left; apply/eqP; ring.
have sizeAB : `|va + vb| <= q * (sa + sb) + q * ((na + nb) * eta).
  have -> : va + vb = va + vb - (da + db) + (da + db) by rewrite subrK.
  apply: le_trans (ler_norm_add _ _) _.
  have le_d : `|da + db| <= sa + sb by apply: le_trans (ler_norm_add _ _) (ler_add le_a le_b).
  apply: le_trans (ler_add errAB le_d) _.
  by rewrite le_eqVlt; apply/orP; left; apply/eqP; ring.
rewrite (_ : v - (da + db) = v - (va + vb) + (va + vb - (da + db))); last by ring.
apply: le_trans (ler_norm_add _ _) _; apply: le_trans (ler_add err errAB) _.
apply: le_trans (ler_add (ler_wpmul2l u_ge0 sizeAB) (lexx _)) _.
by rewrite le_eqVlt; apply/orP; left; apply/eqP; rewrite /gamma exprSr -/q; ring.
Qed.

End Error.

(** ** Gram matrices *)

Section Gram.
Variables (N n : nat) (A : 'M[R]_(N, n)) (d : nat).

(** What may be computed of AᵀA: each entry in an order of its own, of depth d at most. *)
Definition computed_gram (G : 'M[R]_n) : Prop :=
  forall i j, exists s, [/\ each_once s, (depth s <= d)%N
    & computed (fun k => A k i) (fun k => A k j) s (G i j)].

(** γ ‖A‖_F² + n N (1 + u)^d η: the floor below which a Gram matrix in floating point tells nothing. *)
Definition noise_floor : R := gamma d * frob2 A + n%:R * ((1 + u) ^+ d * N%:R * eta).

Lemma computed_entry G i j : computed_gram G ->
  `|G i j - (A^T *m A) i j|
    <= gamma d * (\sum_k `|A k i| * `|A k j|) + (1 + u) ^+ d * N%:R * eta.
Proof.
move=> /(_ i j)[s [once le_d /dot_rounding]].
rewrite /dot_of /size_of !(perm_big _ once) (perm_size once) size_enum_ord !big_enum /=.
have -> : (A^T *m A) i j = \sum_k A k i * A k j by rewrite mxE; apply: eq_bigr => k _; rewrite mxE.
under [X in _ <= _ * X + _ -> _]eq_bigr do rewrite normrM.
move=> /le_trans; apply; apply: ler_add.
  by rewrite ler_wpmul2r ?sumr_ge0 // ?ler_add2r ?pow_le // => k _; rewrite mulr_ge0.
by rewrite ler_wpmul2r // ler_wpmul2r ?ler0n // pow_le.
Qed.

(** The computed Gram matrix is within the floor of the exact one, in the spectral norm. *)
Theorem gram_rounding G : computed_gram G ->
  forall x : 'rV[R]_n, `|qf (G - A^T *m A) x| <= noise_floor * sqn x.
Proof.
move=> com x; rewrite qfE; apply: le_trans (ler_norm_sum _ _ _) _.
pose c := (1 + u) ^+ d * N%:R * eta.
have c0 : 0 <= c by rewrite !mulr_ge0 ?ler0n // (le_trans ler01) // pow_ge1.
pose e i j := gamma d * (\sum_k `|A k i| * `|A k j|) + c.
apply: le_trans (_ : \sum_i \sum_j e i j * (`|x 0 i| * `|x 0 j|) <= _).
  apply: ler_sum => i _; apply: le_trans (ler_norm_sum _ _ _) _; apply: ler_sum => j _.
  rewrite !normrM ler_wpmul2r ?mulr_ge0 //.
  rewrite [(G - _) i j]mxE [(- (A^T *m A) : 'M_n) i j]mxE; exact: computed_entry.
pose z : 'rV[R]_n := \row_i `|x 0 i|.
have sqn_z : sqn z = sqn x.
  by rewrite !sqnE; apply: eq_bigr => i _; rewrite mxE real_normK ?num_real.
have -> : \sum_i \sum_j e i j * (`|x 0 i| * `|x 0 j|) =
    gamma d * (\sum_k (\sum_i `|A k i| * z 0 i) ^+ 2) + c * (\sum_i z 0 i) ^+ 2.
  transitivity (\sum_i \sum_j (gamma d * (\sum_k (`|A k i| * z 0 i) * (`|A k j| * z 0 j))
      + c * (z 0 i * z 0 j))).
    apply: eq_bigr => i _; apply: eq_bigr => j _; rewrite mulrDl !mxE -mulrA; congr (_ * _ + _).
    by rewrite mulr_suml; apply: eq_bigr => k _; ring.
  under eq_bigr do rewrite big_split -mulr_sumr -mulr_sumr /=.
  rewrite big_split -mulr_sumr -mulr_sumr /=; congr (_ * _ + _ * _); last first.
    by rewrite expr2 mulr_suml; apply: eq_bigr => i _; rewrite -mulr_sumr.
  under eq_bigr do rewrite exchange_big /=.
  rewrite exchange_big; apply: eq_bigr => k _; rewrite expr2 mulr_suml.
  by apply: eq_bigr => i _; rewrite -mulr_sumr.
rewrite /noise_floor mulrDl; apply: ler_add.
  rewrite -mulrA ler_wpmul2l ?gamma_ge0 // /frob2 mulr_suml; apply: ler_sum => k _.
  apply: le_trans (cauchy_sum _ _) _; rewrite -sqn_z sqnE le_eqVlt; apply/orP; left; apply/eqP.
  by congr (_ * _); apply: eq_bigr => i _; rewrite real_normK ?num_real.
rewrite -/c; clear e; move: c c0 => c c0; rewrite [n%:R * c]mulrC -mulrA ler_wpmul2l //; have := cauchy_sum (fun=> 1) (fun i => z 0 i).
under eq_bigr do rewrite mul1r.
under [X in _ <= X * _ -> _]eq_bigr do rewrite expr1n.
by rewrite sumr_const card_ord -sqn_z sqnE.
Qed.

End Gram.
End Rounding.

(** C2: the count of eigenvalues of a computed Gram matrix above ε is another than r_ε only where an
    eigenvalue is within the floor of ε. *)
Theorem float_resolution (R : rcfType) (u eta : R) N n (A : 'M[R]_(N, n)) d (G : 'M[R]_n) eps :
  0 <= u -> 0 <= eta -> symmetric G -> computed_gram u eta A d G ->
  epsrank G eps <> epsrank (A^T *m A) eps ->
  exists2 k, (k < n)%N & `|eigval (A^T *m A) k - eps| <= noise_floor u eta A d.
Proof.
move=> u0 eta0 symG /(gram_rounding u0 eta0) close differ.
have symH : symmetric (A^T *m A) by rewrite /symmetric trmx_mul trmxK.
set t := noise_floor _ _ _ _ in close *; have near := eigval_stability symG symH close.
have [k far|all_far] := pickP (fun k : 'I_n => `|eigval (A^T *m A) k - eps| <= t); first by exists k.
case: differ; rewrite (epsrankE _ symG) (epsrankE _ symH); apply: eq_card => k; rewrite !inE.
have := all_far k; have := near k (ltn_ord k); rewrite distrC.
move: (eigval G k) (eigval _ k) => g h; rewrite ler_distl => /andP[lo hi] /negbT; rewrite -ltNge.
have [le_h|lt_h] := leP h eps.
  rewrite ler0_norm ?subr_le0 // opprB ltr_subr_addl => far.
  by apply/negbTE; rewrite -leNgt ltW // (le_lt_trans _ far) // -ler_subl_addr.
rewrite gtr0_norm ?subr_gt0 // ltr_subr_addl => far.
by apply/idP; rewrite -(ltr_add2r t); apply: lt_le_trans far hi.
Qed.

(** And it can be another: u is enough to move an eigenvalue across ε. *)
Theorem float_can_differ (R : rcfType) (u : R) : 0 < u -> exists (A G : 'M[R]_1) (eps : R),
  [/\ symmetric G, computed_gram u 0 A 1 G & epsrank G eps <> epsrank (A^T *m A) eps].
Proof.
move=> u0; exists 1%:M, (1 - u)%:M, (1 - u); split.
- by rewrite /symmetric tr_scalar_mx.
- move=> i j; exists (Term ord0); split=> //.
    apply: uniq_perm => //; first exact: enum_uniq.
    by move=> k; rewrite mem_enum inE [k]ord1 eqxx.
  rewrite /= !ord1 !mxE !eqxx !mulr1n mulr1 addr0 normr1 mulr1.
  have -> : 1 - u - 1 = - u by ring.
  by rewrite normrN gtr0_norm.
have count1 (a : R) : epsrank (a%:M : 'M_1) (1 - u) = (1 - u < a) :> nat.
  rewrite (@epsrank_intrinsic _ _ 1%:M _ (const_mx a)) ?trmx1 ?mulmx1 ?mul1mx ?diag_const_mx //.
  have [lt_a|le_a] := ltP (1 - u) a.
    by rewrite (_ : [set _ | _] = setT) ?cardsT ?card_ord //; apply/setP => i; rewrite !inE mxE lt_a.
  by rewrite (_ : [set _ | _] = set0) ?cards0 //; apply/setP => i; rewrite !inE mxE ltNge le_a.
by rewrite trmx1 mulmx1 !count1 ltxx ltr_subl_addr ltr_addl u0.
Qed.
