(** * Neuron selection: p of the n neurons span nearly the whole network

    - [trailing le_pn Q] the rows q_{p+1}, …, q_n of Q (the trailing eigenvectors);
    - [frob2 W]          ‖W‖_F² = Σ_ij W_ij²;
    - [comb (fun i => phi (f i)) c]  Σ_i c_i φ_{f(i)}, a combination of the chosen neurons only;
    - [eigval G p]       λ_{p+1}, since eigenvalues are counted from 0. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral minors.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** Splitting the indices into chosen and left out *)

Section Split.
Variables (n p : nat).
Hypothesis le_pn : (p <= n)%N.

(** Whatever n − p indices are left out, p remain. *)
Lemma exists_complement (T : 'I_(n - p) -> 'I_n) :
  injective T -> exists2 f : 'I_p -> 'I_n, injective f & forall i j, f i != T j.
Proof.
move=> injT; pose S := ~: [set T j | j in setT].
have cS : p = #|S| by rewrite cardsCs setCK card_imset // cardsT !card_ord subKn.
exists (fun i => enum_val (cast_ord cS i)) => [i j /enum_val_inj/cast_ord_inj //|i j].
have := enum_valP (cast_ord cS i); rewrite inE; apply: contraNneq => ->.
by apply: imset_f; rewrite inE.
Qed.

Lemma sum_complement (M : zmodType) (f : 'I_p -> 'I_n) (T : 'I_(n - p) -> 'I_n) (F : 'I_n -> M) :
  injective f -> injective T -> (forall i j, f i != T j) ->
  \sum_i F i = \sum_i F (f i) + \sum_j F (T j).
Proof.
move=> injf injT disj.
pose h (x : 'I_p + 'I_(n - p)) := match x with inl i => f i | inr j => T j end.
have injh : injective h.
  move=> [i|j] [i'|j'] /= E; first by rewrite (injf _ _ E).
  - by have := disj i j'; rewrite E eqxx.
  - by have := disj i' j; rewrite -E eqxx.
  - by rewrite (injT _ _ E).
have bijh : bijective h by apply: inj_card_bij => //; rewrite card_sum !card_ord subnKC.
by rewrite (reindex h) ?big_sumType //=; apply: onW_bij.
Qed.

Definition trailing (R : Type) (Q : 'M[R]_n) : 'M[R]_(n - p, n) :=
  rowsub (fun i => cast_ord (subnKC le_pn) (rshift p i)) Q.

End Split.

(** If the block of the rows T of K is the identity and the p rows f outside T have entries at most
    t in modulus, then |K bᵀ|² ≤ (1 + t² p (n − p)) |b|². *)
Lemma sqn_extension (R : rcfType) n p (K : 'M[R]_(n, n - p)) (f : 'I_p -> 'I_n)
    (T : 'I_(n - p) -> 'I_n) t (b : 'rV[R]_(n - p)) :
  (p <= n)%N -> injective f -> injective T -> (forall i j, f i != T j) ->
  rowsub T K = 1%:M -> (forall i j, `|K i j| <= t) ->
  sqn (b *m K^T) <= (1 + t ^+ 2 * (p * (n - p))%:R) * sqn b.
Proof.
move=> le_pn injf injT disj KT Kt.
rewrite sqnE (sum_complement le_pn _ injf injT disj) addrC mulrDl mul1r ler_add //.
  rewrite sqnE le_eqVlt; apply/orP; left; apply/eqP; apply: eq_bigr => j _.
  have -> : (b *m K^T) 0 (T j) = (b *m (rowsub T K)^T) 0 j.
    by rewrite trmx_mxsub mulmx_colsub !mxE.
  by rewrite KT trmx1 mulmx1.
have row_le i : (b *m K^T) 0 (f i) ^+ 2 <= t ^+ 2 * (n - p)%:R * sqn b.
  rewrite mxE; apply: le_trans (cauchy_sum _ _) _.
  rewrite -sqnE mulrC ler_wpmul2r ?sqn_ge0 //.
  rewrite -[X in X%:R](card_ord (n - p)) mulr_natr -sumr_const ler_sum // => j _.
  rewrite mxE -real_normK ?num_real //.
  by rewrite ler_expn2r ?nnegrE // (le_trans _ (Kt (f i) j)).
apply: le_trans (ler_sum _ (fun i _ => row_le i)) _.
by rewrite sumr_const card_ord -[X in X <= _]mulr_natl natrM -!mulrA ![p%:R * (t * _)]mulrCA.
Qed.

(** ** N1: neuron selection *)

Section Tail.
Variables (R : rcfType) (n p : nat) (G Q : 'M[R]_n).
Hypotheses (le_pn : (p <= n)%N) (symG : symmetric G) (diagQ : diagonalises Q G).

Lemma trailing_orthonormal : trailing le_pn Q *m (trailing le_pn Q)^T = 1%:M.
Proof.
case: diagQ => QQ _; rewrite trmx_mxsub -mxsub_mul QQ; apply/matrixP => i j.
by rewrite !mxE (inj_eq (@cast_ord_inj _ _ _)) (inj_eq (@rshift_inj _ _)).
Qed.

Lemma sqn_trailing (c : 'rV_(n - p)) : sqn (c *m trailing le_pn Q) = sqn c.
Proof. by rewrite /sqn trmx_mul mulmxA -(mulmxA c) trailing_orthonormal mulmx1. Qed.

(** On the span of the trailing eigenvectors x G xᵀ ≤ λ_{p+1} |x|². *)
Lemma qf_trailing (c : 'rV_(n - p)) : qf G (c *m trailing le_pn Q) <= eigval G p * sqn c.
Proof.
case: (diagQ) => QQ _; rewrite (qf_spectral _ diagQ) -sqn_trailing -(sqn_orthogonal _ QQ).
rewrite sqnE mulr_sumr ler_sum // => k _; have [le_pk|lt_kp] := leqP p k.
  by rewrite ler_wpmul2r ?sqr_ge0 // eigval_mono // le_pk ltn_ord.
suff -> : (c *m trailing le_pn Q *m Q^T) 0 k = 0 by rewrite expr0n !mulr0.
rewrite -mulmxA mul_rowsub_mx QQ mxE big1 // => i _.
rewrite !mxE (_ : _ == k = false) ?mulr0 //; apply/eqP => /(congr1 val) /= E.
by move: lt_kp; rewrite -E ltnNge leq_addr.
Qed.

End Tail.

Section Selection.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V) (n : nat) (phi : 'I_n -> V).
Implicit Types (beta : 'rV[R]_n) (eps : R).
Local Notation G := (gram B phi).

Definition frob2 m k (W : 'M[R]_(m, k)) : R := \sum_i \sum_l W i l ^+ 2.

Lemma frob2E m k (W : 'M[R]_(m, k)) : frob2 W = \sum_l sqn (col l W)^T.
Proof.
rewrite /frob2 exchange_big; apply: eq_bigr => l _; rewrite sqnE.
by apply: eq_bigr => i _; rewrite !mxE.
Qed.

Lemma eigval_gram_ge0 k : 0 <= eigval G k.
Proof. by apply: eigval_ge0; [apply: gram_sym | apply: gram_psd]. Qed.

(** N1 for a given selection f, the neurons T being left out: if the block V₂₂ of the trailing
    eigenvectors at T is invertible and the entries of V₁₂ V₂₂⁻¹ are at most t in modulus, the
    chosen neurons represent u up to (1 + t² p (n − p)) λ_{p+1} ‖β‖², with coefficients that depend
    linearly on β: c = β_f − β_T (V₁₂ V₂₂⁻¹)ᵀ. *)
Lemma selection_bound_head p (le_pn : (p <= n)%N) Q (f : 'I_p -> 'I_n) (T : 'I_(n - p) -> 'I_n) t
    (K := (trailing le_pn Q)^T *m invmx (rowsub T (trailing le_pn Q)^T)) :
  diagonalises Q G -> injective f -> injective T -> (forall i j, f i != T j) ->
  rowsub T (trailing le_pn Q)^T \in unitmx -> (forall i j, `|K i j| <= t) ->
  exists2 C : 'M[R]_(n, p), forall beta,
    nrm2 B (comb phi beta - comb (fun i => phi (f i)) (beta *m C))
      <= (1 + t ^+ 2 * (p * (n - p))%:R) * eigval G p * sqn beta
    & forall beta, beta *m C = colsub f beta - colsub T beta *m (rowsub f K)^T.
Proof.
move=> diagQ injf injT disj; set A := (trailing le_pn Q)^T; set AT := rowsub T A => uAT Kt.
have KT : rowsub T K = 1%:M by rewrite -mul_rowsub_mx mulmxV.
pose D := colsub T 1%:M *m K^T.
have DE beta : beta *m D = colsub T beta *m K^T by rewrite mulmxA mulmx_colsub mulmx1.
exists (colsub f (1%:M - D)) => beta; last first.
  rewrite mulmx_colsub mulmxBr mulmx1 DE trmx_mxsub mulmx_colsub.
  by apply/rowP => i; rewrite !mxE.
pose z := beta *m D; pose b := colsub T beta; have zE : z = b *m K^T := DE beta.
have zT j : z 0 (T j) = beta 0 (T j).
  have -> : z 0 (T j) = (b *m (rowsub T K)^T) 0 j.
    by rewrite trmx_mxsub mulmx_colsub -zE !mxE.
  by rewrite KT trmx1 mulmx1 mxE.
have -> : comb (fun i => phi (f i)) (beta *m colsub f (1%:M - D)) = comb phi (beta - z).
  rewrite mulmx_colsub mulmxBr mulmx1 -/z.
  rewrite /comb (sum_complement le_pn _ injf injT disj) [X in _ = _ + X]big1 => [|j _].
    by rewrite addr0; apply: eq_bigr => i _; rewrite !mxE.
  by rewrite mxE [X in _ + X]mxE zT subrr scale0r.
rewrite -combB opprB addrC subrK nrm2_comb.
have -> : z = (b *m (invmx AT)^T) *m trailing le_pn Q by rewrite zE trmx_mul mulmxA trmxK.
apply: le_trans (qf_trailing le_pn (gram_sym B phi) diagQ _) _.
rewrite -(sqn_trailing le_pn diagQ) -mulmxA -[X in _ *m (_ *m X)]trmxK -trmx_mul.
rewrite [_ * eigval G p]mulrC -mulrA ler_wpmul2l ?eigval_gram_ge0 //.
apply: le_trans (sqn_extension b le_pn injf injT disj KT Kt) _.
apply: ler_wpmul2l; first by rewrite addr_ge0 ?ler01 // mulr_ge0 ?sqr_ge0 ?ler0n.
rewrite !sqnE (sum_complement le_pn (fun i => beta 0 i ^+ 2) injf injT disj).
rewrite (eq_bigr (fun j => beta 0 (T j) ^+ 2)) => [|j _]; last by rewrite mxE.
by rewrite ler_addr sumr_ge0 // => i _; rewrite sqr_ge0.
Qed.

(** N1 for a given selection, without a word on the coefficients. *)
Theorem selection_bound p (le_pn : (p <= n)%N) Q (f : 'I_p -> 'I_n) (T : 'I_(n - p) -> 'I_n) t :
  diagonalises Q G -> injective f -> injective T -> (forall i j, f i != T j) ->
  rowsub T (trailing le_pn Q)^T \in unitmx ->
  (forall i j, `|((trailing le_pn Q)^T *m invmx (rowsub T (trailing le_pn Q)^T)) i j| <= t) ->
  exists C : 'M[R]_(n, p), forall beta,
    nrm2 B (comb phi beta - comb (fun i => phi (f i)) (beta *m C))
      <= (1 + t ^+ 2 * (p * (n - p))%:R) * eigval G p * sqn beta.
Proof.
by move=> diagQ injf injT disj uAT Kt;
   have [C le _] := selection_bound_head diagQ injf injT disj uAT Kt; exists C.
Qed.

(** N1 with the stopping rule of strong rank-revealing QR, applied to the trailing eigenvectors: if
    no exchange of one neuron left out for another multiplies |det V₂₂| ≠ 0 by more than t, the
    factor is 1 + t² p (n − p). *)
Theorem selection_rrqr p (le_pn : (p <= n)%N) Q (T : 'I_(n - p) -> 'I_n) t :
  diagonalises Q G ->
  \det (rowsub T (trailing le_pn Q)^T) != 0 ->
  (forall j i, `|\det (rowsub (replace T j i) (trailing le_pn Q)^T)|
                 <= t * `|\det (rowsub T (trailing le_pn Q)^T)|) ->
  exists f : 'I_p -> 'I_n, [/\ injective f, forall i j, f i != T j &
    exists C : 'M[R]_(n, p), forall beta,
      nrm2 B (comb phi beta - comb (fun i => phi (f i)) (beta *m C))
        <= (1 + t ^+ 2 * (p * (n - p))%:R) * eigval G p * sqn beta].
Proof.
move=> diagQ dT le; have injT := minor_inj dT.
have [f injf disj] := exists_complement le_pn injT; exists f; split=> //.
by apply: (selection_bound diagQ injf injT disj); rewrite ?unitmxE ?unitfE //;
   apply: exchange_bound.
Qed.

(** The selection that maximises the minor: one choice of p neurons, and coefficients that depend
    linearly on the output weights, serve every β. *)
Theorem neuron_selection_linear p :
  (p <= n)%N ->
  exists2 f : 'I_p -> 'I_n, injective f & exists C : 'M[R]_(n, p), forall beta,
    nrm2 B (comb phi beta - comb (fun i => phi (f i)) (beta *m C))
      <= (1 + (p * (n - p))%:R) * eigval G p * sqn beta.
Proof.
move=> le_pn; have [Q diagQ] := spectral_theorem (gram_sym B phi).
have rA : \rank (trailing le_pn Q)^T = (n - p)%N.
  rewrite mxrank_tr; apply/eqP; rewrite -/(row_free _); apply/row_freeP.
  by exists (trailing le_pn Q)^T; apply: trailing_orthonormal diagQ.
have [T [injT dT _ Kt]] := maximal_minor rA.
have [f injf disj] := exists_complement le_pn injT.
exists f => //; have := selection_bound (t := 1) diagQ injf injT disj.
by rewrite expr1n mul1r; apply; rewrite ?unitmxE ?unitfE.
Qed.

(** N1: for every p ≤ n there are p of the n neurons such that, whatever the output weights β, some
    combination of these p is within √((1 + p (n − p)) λ_{p+1}) ‖β‖ of the network u. *)
Theorem neuron_selection p :
  (p <= n)%N ->
  exists2 f : 'I_p -> 'I_n, injective f & forall beta, exists c : 'rV[R]_p,
    nrm2 B (comb phi beta - comb (fun i => phi (f i)) c)
      <= (1 + (p * (n - p))%:R) * eigval G p * sqn beta.
Proof.
by move=> /neuron_selection_linear[f injf [C le]]; exists f => // beta; exists (beta *m C).
Qed.

(** N1 for k outputs: the same p neurons serve all of them, with ‖W‖_F in place of ‖β‖. *)
Theorem neuron_selection_outputs p k :
  (p <= n)%N ->
  exists2 f : 'I_p -> 'I_n, injective f & forall W : 'M[R]_(n, k), exists C : 'M[R]_(p, k),
    \sum_l nrm2 B (comb phi (col l W)^T - comb (fun i => phi (f i)) (col l C)^T)
      <= (1 + (p * (n - p))%:R) * eigval G p * frob2 W.
Proof.
move=> /neuron_selection_linear[f injf [C le]]; exists f => // W; exists (C^T *m W).
rewrite frob2E mulr_sumr ler_sum // => l _.
by rewrite [col l (_ *m W)]colE -mulmxA -colE trmx_mul trmxK.
Qed.

(** N1 at p = r_ε: r_ε neurons represent u up to (1 + r_ε (n − r_ε)) ε ‖β‖². *)
Theorem neuron_selection_epsrank eps :
  0 <= eps -> let p := epsrank G eps in
  exists2 f : 'I_p -> 'I_n, injective f & forall beta, exists c : 'rV[R]_p,
    nrm2 B (comb phi beta - comb (fun i => phi (f i)) c)
      <= (1 + (p * (n - p))%:R) * eps * sqn beta.
Proof.
move=> eps0 p; have symG := gram_sym B phi.
have [f injf le] := neuron_selection (epsrank_leq eps symG).
exists f => // beta; have [c lec] := le beta; exists c; apply: le_trans lec _.
rewrite ler_wpmul2r ?sqn_ge0 // ler_wpmul2l ?addr_ge0 ?ler01 ?ler0n //.
exact: eigval_epsrank.
Qed.

(** N1 at p = r_ε for k outputs. *)
Theorem neuron_selection_epsrank_outputs eps k :
  0 <= eps -> let p := epsrank G eps in
  exists2 f : 'I_p -> 'I_n, injective f & forall W : 'M[R]_(n, k), exists C : 'M[R]_(p, k),
    \sum_l nrm2 B (comb phi (col l W)^T - comb (fun i => phi (f i)) (col l C)^T)
      <= (1 + (p * (n - p))%:R) * eps * frob2 W.
Proof.
move=> eps0 p; have symG := gram_sym B phi.
have [f injf le] := neuron_selection_outputs k (epsrank_leq eps symG).
exists f => // W; have [C leC] := le W; exists C; apply: le_trans leC _.
rewrite ler_wpmul2r; first by [].
  by apply: sumr_ge0 => i _; apply: sumr_ge0 => l _; rewrite sqr_ge0.
by rewrite ler_wpmul2l ?addr_ge0 ?ler01 ?ler0n //; apply: eigval_epsrank.
Qed.

(** ** The draft's weaker constant *)

(** (1 + p (n − p)) λ_{p+1} ≤ (p + 1)(n − p) Σ_{k>p} λ_k: the bound above implies the draft's. *)
Theorem draft_constant p :
  (p <= n)%N ->
  (1 + (p * (n - p))%:R) * eigval G p
    <= ((p + 1) * (n - p))%:R * \sum_(p <= k < n) eigval G k.
Proof.
rewrite leq_eqVlt => /orP[/eqP ->|lt_pn].
  by rewrite (eigval_over (gram_sym B phi)) // mulr0 big_geq // mulr0.
apply: ler_pmul; rewrite ?eigval_gram_ge0 ?addr_ge0 ?ler01 ?ler0n //.
  by rewrite -[1]/1%:R -natrD ler_nat mulnDl mul1n addnC leq_add2l subn_gt0.
by rewrite big_ltn // ler_addl sumr_ge0 // => k _; apply: eigval_gram_ge0.
Qed.

(** Σ_{k>p} λ_k ≤ (n − p) ε at p = r_ε. *)
Lemma tail_sum_epsrank eps :
  0 <= eps ->
  \sum_(epsrank G eps <= k < n) eigval G k <= (n - epsrank G eps)%:R * eps.
Proof.
move=> eps0; have symG := gram_sym B phi; set p := epsrank G eps.
rewrite mulr_natl -sumr_const_nat big_nat [X in _ <= X]big_nat ler_sum // => k /andP[pk kn].
by apply: le_trans (eigval_epsrank symG eps0); rewrite eigval_mono // pk.
Qed.

(** The draft's N1: the error is at most (p + 1)(n − p) Σ_{k>p} λ_k ‖β‖². *)
Theorem neuron_selection_draft p :
  (p <= n)%N ->
  exists2 f : 'I_p -> 'I_n, injective f & forall beta, exists c : 'rV[R]_p,
    nrm2 B (comb phi beta - comb (fun i => phi (f i)) c)
      <= ((p + 1) * (n - p))%:R * (\sum_(p <= k < n) eigval G k) * sqn beta.
Proof.
move=> le_pn; have [f injf le] := neuron_selection le_pn; exists f => // beta.
have [c lec] := le beta; exists c; apply: le_trans lec _.
by rewrite ler_wpmul2r ?sqn_ge0 // draft_constant.
Qed.

(** The draft's N1 at p = r_ε: at most (p + 1)(n − p)² ε ‖β‖². *)
Theorem neuron_selection_draft_epsrank eps :
  0 <= eps -> let p := epsrank G eps in
  exists2 f : 'I_p -> 'I_n, injective f & forall beta, exists c : 'rV[R]_p,
    nrm2 B (comb phi beta - comb (fun i => phi (f i)) c)
      <= ((p + 1) * (n - p) ^ 2)%:R * eps * sqn beta.
Proof.
move=> eps0 p; have [f injf le] := neuron_selection_draft (epsrank_leq eps (gram_sym B phi)).
exists f => // beta; have [c lec] := le beta; exists c; apply: le_trans lec _.
rewrite ler_wpmul2r ?sqn_ge0 // expnS expn1 mulnA [X in _ <= X * _]natrM -mulrA.
by rewrite ler_wpmul2l ?ler0n // tail_sum_epsrank.
Qed.

End Selection.
