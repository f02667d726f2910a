(** * Inertia by diagonal dominance

    A congruence S (G − εI) Sᵀ that is strictly diagonally dominant shows the ε-rank of G on its
    diagonal. S need not be orthogonal, nor even be known to be invertible.
    - [off T i]      Σ_{j≠i} |T_ij|, the off-diagonal sum of row i;
    - [row1 S i]     Σ_k |S_ik|, the 1-norm of row i. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From EpsRank Require Import form spectral.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Definitions.
Variables (R : rcfType) (m n : nat).

Definition off (T : 'M[R]_n) i : R := \sum_(j | j != i) `|T i j|.
Definition row1 (S : 'M[R]_(m, n)) i : R := \sum_k `|S i k|.

End Definitions.

Section Dominance.
Variables (R : rcfType) (n : nat).
Implicit Types (T S M : 'M[R]_n) (x : 'rV[R]_n).

Lemma qfE T x : qf T x = \sum_i \sum_j T i j * (x 0 i * x 0 j).
Proof.
rewrite /qf mxE exchange_big; apply: eq_bigr => j _ /=.
by rewrite !mxE mulr_suml; apply: eq_bigr => i _; rewrite -mulrA mulrCA.
Qed.

(** x T xᵀ ≥ Σ_i (T_ii − Σ_{j≠i} |T_ij|) x_i² for a symmetric matrix T. *)
Lemma qf_dominant T x : symmetric T -> \sum_i (T i i - off T i) * x 0 i ^+ 2 <= qf T x.
Proof.
move=> symT; rewrite qfE.
pose D := \sum_i \sum_(j | j != i) `|T i j| * ((x 0 i ^+ 2 + x 0 j ^+ 2) / 2%:R).
have DE : D = \sum_i off T i * x 0 i ^+ 2.
  pose s := \sum_i \sum_(j | j != i) `|T i j| * x 0 i ^+ 2.
  have -> : \sum_i off T i * x 0 i ^+ 2 = s.
    by apply: eq_bigr => i _; rewrite mulr_suml.
  have s_sym : s = \sum_i \sum_(j | j != i) `|T i j| * x 0 j ^+ 2.
    rewrite /s (exchange_big_dep predT) //=; apply: eq_bigr => j _.
    by apply: eq_big => [i|i _]; rewrite 1?eq_sym // -[in LHS]symT mxE.
  have -> : D = (s + s) / 2%:R.
    rewrite {2}s_sym -big_split mulr_suml; apply: eq_bigr => i _ /=.
    by rewrite -big_split mulr_suml; apply: eq_bigr => j _ /=; rewrite -mulrDr mulrA.
  by field.
have -> : \sum_i (T i i - off T i) * x 0 i ^+ 2 = \sum_i T i i * x 0 i ^+ 2 - D.
  by rewrite DE -sumrB; apply: eq_bigr => i _; rewrite mulrBl.
rewrite ler_subl_addr -big_split; apply: ler_sum => i _ /=.
rewrite [\sum_j _](bigD1 i) //= -expr2 -addrA ler_addl -big_split sumr_ge0 // => j _ /=.
have young : `|x 0 i| * `|x 0 j| <= (x 0 i ^+ 2 + x 0 j ^+ 2) / 2%:R.
  rewrite -(real_normK (num_real (x 0 i))) -(real_normK (num_real (x 0 j))).
  move: `|x 0 i| `|x 0 j| => a b; rewrite ler_pdivl_mulr ?ltr0n // -subr_ge0.
  by rewrite (_ : _ - _ = (a - b) ^+ 2) ?sqr_ge0 //; ring.
rewrite -ler_subl_addl sub0r; apply: le_trans (ler_norm _) _.
by rewrite normrN !normrM ler_wpmul2l.
Qed.

(** On the coordinates with a dominant positive diagonal, a symmetric form is positive. *)
Lemma dominant_gt0 T x : symmetric T -> (forall i, x 0 i != 0 -> off T i < T i i) ->
  x != 0 -> 0 < qf T x.
Proof.
move=> symT dom x_neq0; apply: lt_le_trans (qf_dominant x symT).
have [i xi_neq0] : exists i, x 0 i != 0.
  apply/existsP; apply: contraNT x_neq0; rewrite negb_exists => /forallP x0.
  by apply/eqP/matrixP => a j; rewrite ord1 mxE; apply/eqP; rewrite -[_ == _]negbK.
have pos j : 0 <= (T j j - off T j) * x 0 j ^+ 2.
  have [->|xj_neq0] := eqVneq (x 0 j) 0; first by rewrite expr0n mulr0.
  by rewrite mulr_ge0 ?sqr_ge0 // subr_ge0 ltW // dom.
rewrite (bigD1 i) //= ltr_spaddl ?sumr_ge0 // mulr_gt0 ?subr_gt0 ?dom //.
by rewrite lt_def sqr_ge0 sqrf_eq0 xi_neq0.
Qed.

(** The rows of S in a set P. *)
Definition rows_in S (P : {set 'I_n}) : 'M[R]_(#|P|, n) := rowsub (@enum_val _ (mem P)) S.

Lemma rows_in_mul S (P : {set 'I_n}) (v : 'rV[R]_#|P|) :
  exists2 y : 'rV[R]_n, v *m rows_in S P = y *m S &
    (forall i, i \notin P -> y 0 i = 0) /\ (y = 0 -> v = 0).
Proof.
pose y : 'rV[R]_n := \row_i \sum_(k | enum_val k == i) v 0 k.
have yE k : y 0 (enum_val k) = v 0 k.
  by rewrite mxE (bigD1 k) //= big1 ?addr0 // => l /andP[/eqP/enum_val_inj->]; rewrite eqxx.
exists y; [|split].
- apply/matrixP => a j; rewrite ord1 !mxE.
  rewrite [RHS](bigID (mem P)) /= [X in _ + X]big1 ?addr0; last first.
    move=> i iNP; rewrite mxE big1 ?mul0r // => k /eqP ki.
    by rewrite -ki enum_valP in iNP.
  by rewrite [RHS]big_enum_val; apply: eq_bigr => k _; rewrite yE !mxE.
- by move=> i iNP; rewrite mxE big1 // => k /eqP ki; rewrite -ki enum_valP in iNP.
- by move=> y0; apply/matrixP => a k; rewrite ord1 -yE y0 !mxE.
Qed.

End Dominance.

(** If S (G − εI) Sᵀ is strictly diagonally dominant, then r_ε(G) is the number of its positive
    diagonal entries. *)
Theorem epsrank_dominant (R : rcfType) n (G S : 'M[R]_n) (eps : R)
    (T := S *m (G - eps%:M) *m S^T) :
  symmetric G -> (forall i, off T i < `|T i i|) -> epsrank G eps = #|[set i | 0 < T i i]|.
Proof.
move=> symG dom.
have symT : symmetric T.
  by rewrite /symmetric /T !trmx_mul trmxK linearB /= tr_scalar_mx symG mulmxA.
pose P := [set i | 0 < T i i].
have qT y : qf T y = qf G (y *m S) - eps * sqn (y *m S).
  by rewrite qf_congr qfB qf_scalar.
have posP (y : 'rV[R]_n) : (forall i, i \notin P -> y 0 i = 0) -> y != 0 -> 0 < qf T y.
  move=> yP; apply: dominant_gt0 => // i yi_neq0.
  have : i \in P by apply: contraR yi_neq0 => /yP->.
  by rewrite inE => Ti_gt0; rewrite -[X in _ < X]gtr0_norm ?dom.
have negP (y : 'rV[R]_n) : (forall i, i \notin ~: P -> y 0 i = 0) -> y != 0 -> qf T y < 0.
  move=> yP y_neq0; rewrite -oppr_gt0 -qfN.
  have symNT : symmetric (- T) by rewrite /symmetric linearN /= symT.
  apply: dominant_gt0 => // i yi_neq0.
  have : i \in ~: P by apply: contraR yi_neq0 => /yP->.
  rewrite !inE -leNgt => Ti_le0; rewrite mxE -(ler0_norm Ti_le0).
  rewrite (_ : off _ i = off T i) ?dom //.
  by apply: eq_bigr => j _; rewrite mxE normrN.
have free (A : {set 'I_n}) (A_sgn : forall y : 'rV[R]_n, (forall i, i \notin A -> y 0 i = 0) ->
    y != 0 -> qf T y != 0) : \rank (rows_in S A) = #|A|.
  apply/eqP; rewrite -/(row_free _); apply: inj_row_free => v vS0.
  have [y yS [yA y0]] := rows_in_mul S v; apply: y0; apply/eqP.
  apply: contraT => /(A_sgn y yA); rewrite qT -yS vS0.
  by rewrite /qf /sqn !mul0mx !mxE mulr0 subrr eqxx.
have sgnP (y : 'rV[R]_n) : (forall i, i \notin P -> y 0 i = 0) -> y != 0 -> qf T y != 0.
  by move=> yP y_neq0; rewrite gt_eqF ?posP.
have sgnN (y : 'rV[R]_n) : (forall i, i \notin ~: P -> y 0 i = 0) -> y != 0 -> qf T y != 0.
  by move=> yP y_neq0; rewrite lt_eqF ?negP.
apply/eqP; rewrite eqn_leq -/P; apply/andP; split.
  rewrite -(leq_add2r #|~: P|) cardsC card_ord -[in #|~: P|](free _ sgnN).
  apply: epsrank_min => // x /submxP[v ->]; have [y -> [yP _]] := rows_in_mul S v.
  rewrite -subr_le0 -qT; have [->|/(negP y yP)/ltW//] := eqVneq y 0.
  by rewrite /qf !mul0mx mxE.
rewrite -(free _ sgnP); apply: epsrank_max => // x /submxP[v ->] x_neq0.
have [y yS [yP _]] := rows_in_mul S v; rewrite yS in x_neq0 *.
rewrite -subr_gt0 -qT; apply: posP => //.
by apply: contraNneq x_neq0 => ->; rewrite mul0mx.
Qed.

(** The same when S (M − M') Sᵀ is only known to be small: for |M_ij − M'_ij| ≤ κ the entries of
    T = S M Sᵀ and T' = S M' Sᵀ differ by at most κ |S_i|₁ |S_j|₁. *)
Lemma congruence_error (R : rcfType) n (M M' S : 'M[R]_n) kappa i j :
  (forall a b, `|M a b - M' a b| <= kappa) ->
  `|(S *m M *m S^T) i j - (S *m M' *m S^T) i j| <= kappa * row1 S i * row1 S j.
Proof.
move=> close.
have -> : (S *m M *m S^T) i j - (S *m M' *m S^T) i j =
    \sum_b \sum_a S i a * (M a b - M' a b) * S j b.
  rewrite !mxE -sumrB; apply: eq_bigr => b _; rewrite !mxE -mulrBl -sumrB mulr_suml.
  by apply: eq_bigr => a _; rewrite mulrBr.
apply: le_trans (ler_norm_sum _ _ _) _; rewrite /row1 mulr_sumr.
apply: ler_sum => b _; apply: le_trans (ler_norm_sum _ _ _) _.
rewrite mulr_sumr mulr_suml; apply: ler_sum => a _.
by rewrite !normrM ler_wpmul2r // mulrC ler_wpmul2r.
Qed.

(** Dominance with a margin for that error is dominance of T itself, with the same signs. *)
Lemma dominant_approx (R : rcfType) n (M M' S : 'M[R]_n) kappa
    (T := S *m M *m S^T) (T' := S *m M' *m S^T) :
  (forall a b, `|M a b - M' a b| <= kappa) ->
  (forall i, off T' i + kappa * row1 S i * (\sum_j row1 S j) < `|T' i i|) ->
  forall i, off T i < `|T i i| /\ (0 < T i i) = (0 < T' i i).
Proof.
move=> close dom i.
have err j : `|T i j - T' i j| <= kappa * row1 S i * row1 S j.
  exact: congruence_error.
have kappa_ge0 : 0 <= kappa := le_trans (normr_ge0 _) (close i i).
have row1_ge0 j : 0 <= row1 S j by apply: sumr_ge0 => k _; apply: normr_ge0.
have off_le : off T i <= off T' i + kappa * row1 S i * \sum_(j | j != i) row1 S j.
  rewrite mulr_sumr -big_split; apply: ler_sum => j _ /=.
  by rewrite -ler_subl_addl; apply: le_trans (err j); apply: ler_sub_dist.
have := dom i; rewrite (bigD1 i) //= mulrDr => domi.
have diag : `|T i i - T' i i| < `|T' i i|.
  apply: le_lt_trans (err i) _; apply: le_lt_trans _ domi.
  rewrite addrCA ler_addl addr_ge0 ?sumr_ge0 //.
  by rewrite !mulr_ge0 ?sumr_ge0.
split.
  apply: le_lt_trans off_le _.
  have : `|T' i i| - `|T i i| <= kappa * row1 S i * row1 S i.
    by apply: le_trans (ler_sub_dist _ _) _; rewrite distrC.
  rewrite ler_subl_addl => le_diag.
  rewrite -(ltr_add2r (kappa * row1 S i * row1 S i)); apply: lt_le_trans le_diag.
  by rewrite -addrA [X in _ + X]addrC.
move: diag; set d := T i i - T' i i => diag.
have -> : T i i = d + T' i i by rewrite subrK.
have [T'_gt0|T'_le0] := ltrP 0 (T' i i).
  move: diag; rewrite (gtr0_norm T'_gt0) ltr_norml => /andP[lo _].
  by rewrite -ltr_subl_addr sub0r.
move: diag; rewrite (ler0_norm T'_le0) ltr_norml => /andP[_ hi].
by apply/negbTE; rewrite -leNgt -ler_subr_addr sub0r ltW.
Qed.

(** So an approximate multiple M' of G − εI serves, if the dominance leaves room for the error. *)
Theorem epsrank_approx (R : rcfType) n (G S M' : 'M[R]_n) (eps c kappa : R)
    (T' := S *m M' *m S^T) :
  0 < c -> symmetric G -> (forall i j, `|c * (G - eps%:M) i j - M' i j| <= kappa) ->
  (forall i, off T' i + kappa * row1 S i * (\sum_j row1 S j) < `|T' i i|) ->
  epsrank G eps = #|[set i | 0 < T' i i]|.
Proof.
move=> c_gt0 symG close dom.
have close' a b : `|(c *: (G - eps%:M)) a b - M' a b| <= kappa by rewrite mxE.
have TE i j : (S *m (c *: (G - eps%:M)) *m S^T) i j = c * (S *m (G - eps%:M) *m S^T) i j.
  by rewrite -scalemxAr -scalemxAl mxE.
rewrite (epsrank_dominant (S := S)) // => [|i]; last first.
  have [+ _] := dominant_approx close' dom i; rewrite TE normrM gtr0_norm // -subr_gt0.
  rewrite (_ : off _ i = c * off (S *m (G - eps%:M) *m S^T) i); last first.
    by rewrite mulr_sumr; apply: eq_bigr => j _; rewrite TE normrM gtr0_norm.
  by rewrite -mulrBr pmulr_rgt0 // subr_gt0.
congr #|pred_of_set _|; apply/setP => i; rewrite !inE.
by have [_ <-] := dominant_approx close' dom i; rewrite TE pmulr_rgt0.
Qed.
