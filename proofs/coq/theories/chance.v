(** * Samples of a finite population, and how often they are near it (C4)

    The population is M points with probabilities w, and a sample is N independent draws of it. With
    second moments alone, and so with κd/(Nη²) in place of the exponential of a matrix Bernstein
    inequality, samples are near the population in the relative form.
    - [chance w s]            the probability Π_t w(s_t) of a sample s of N points, s_t its t-th;
    - [population w Phi]      G = Σ_i w_i φ_iᵀ φ_i, for the rows φ_i of Φ;
    - [sample_gram Phi s]     Ĝ = (1/N) Σ_t φ_{s_t}ᵀ φ_{s_t};
    - [ridge G g]             G + γI, and [leverage G g x] = x (G + γI)⁻¹ xᵀ;
    - [dimension G g]         tr G (G + γI)⁻¹, the effective dimension. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From EpsRank Require Import form spectral inertia rank perturbation sampling.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Chance.
Variables (R : rcfType) (M N : nat) (w : 'rV[R]_M).
Hypothesis w_ge0 : forall i, 0 <= w 0 i.
Hypothesis w_sum1 : \sum_i w 0 i = 1.
Local Notation sample := {ffun 'I_N -> 'I_M}.
Implicit Types (s : sample) (a : 'I_M -> R).

(** The probability of a sample. *)
Definition chance s : R := \prod_t w 0 (s t).

Lemma chance_ge0 s : 0 <= chance s.
Proof. exact: prodr_ge0. Qed.

(** The mean of a product of functions of the draws. *)
Lemma mean_prod (F : 'I_N -> 'I_M -> R) :
  \sum_s chance s * \prod_t F t (s t) = \prod_t \sum_i w 0 i * F t i.
Proof. by rewrite bigA_distr_bigA; apply: eq_bigr => s _; rewrite -big_split. Qed.

Lemma chance_sum1 : \sum_s chance s = 1.
Proof.
have := mean_prod (fun _ _ => 1); under eq_bigr do rewrite big1 // mulr1.
by move=> ->; apply: big1 => t _; under eq_bigr do rewrite mulr1.
Qed.

(** Independent draws are uncorrelated. *)
Lemma mean_pair a t u : \sum_i w 0 i * a i = 0 ->
  \sum_s chance s * (a (s t) * a (s u)) = if t == u then \sum_i w 0 i * a i ^+ 2 else 0.
Proof.
move=> a0; pose F v i := (if v == t then a i else 1) * (if v == u then a i else 1).
have prodE s : \prod_v F v (s v) = a (s t) * a (s u).
  by rewrite big_split /= -!big_mkcond !big_pred1_eq.
under eq_bigr do rewrite -prodE; rewrite mean_prod (bigD1 t) //= /F eqxx.
case: eqP => [<-|/eqP tu].
  rewrite [X in _ * X]big1 ?mulr1 => [|v /negbTE vt]; first by apply: eq_bigr => i _; rewrite expr2.
  by under eq_bigr do rewrite vt mulr1 mulr1.
by under eq_bigr do rewrite mulr1; rewrite a0 mul0r.
Qed.

(** The mean square of a sum of independent centred numbers is the sum of theirs. *)
Lemma mean_square a : \sum_i w 0 i * a i = 0 ->
  \sum_s chance s * (\sum_t a (s t)) ^+ 2 = N%:R * \sum_i w 0 i * a i ^+ 2.
Proof.
move=> a0; have -> : \sum_s chance s * (\sum_t a (s t)) ^+ 2 =
    \sum_t \sum_u \sum_s chance s * (a (s t) * a (s u)).
  under [RHS]eq_bigr do rewrite exchange_big; rewrite exchange_big; apply: eq_bigr => s _ /=.
  rewrite expr2 mulr_suml mulr_sumr; apply: eq_bigr => t _.
  by rewrite !mulr_sumr; apply: eq_bigr => u _.
rewrite (eq_bigr (fun=> \sum_i w 0 i * a i ^+ 2)) ?sumr_const ?card_ord ?mulr_natl // => t _.
under eq_bigr do rewrite mean_pair //.
by rewrite -big_mkcond (eq_bigl (pred1 t)) ?big_pred1_eq // => u; rewrite eq_sym.
Qed.

(** The mean square of a sample mean about its mean, for any numbers y_i. *)
Lemma mean_deviation (y : 'I_M -> R) (m := \sum_i w 0 i * y i) : (0 < N)%N ->
  \sum_s chance s * (N%:R^-1 * (\sum_t y (s t)) - m) ^+ 2 <= N%:R^-1 * \sum_i w 0 i * y i ^+ 2.
Proof.
move=> N0; have n0 : N%:R != 0 :> R by rewrite pnatr_eq0 -lt0n.
pose a i := y i - m; have a0 : \sum_i w 0 i * a i = 0.
  by under eq_bigr do rewrite mulrBr; rewrite sumrB -mulr_suml w_sum1 mul1r subrr.
have -> : \sum_s chance s * (N%:R^-1 * (\sum_t y (s t)) - m) ^+ 2 =
    N%:R^-1 ^+ 2 * \sum_s chance s * (\sum_t a (s t)) ^+ 2.
  rewrite mulr_sumr; apply: eq_bigr => s _; rewrite [in RHS]mulrCA; congr (_ * _); rewrite -exprMn.
  by rewrite /a sumrB sumr_const card_ord mulrBr -[m *+ N]mulr_natl mulKf.
rewrite mean_square // expr2 -mulrA mulKf // ler_wpmul2l ?invr_ge0 ?ler0n //.
have -> : \sum_i w 0 i * a i ^+ 2 = \sum_i w 0 i * y i ^+ 2 - m ^+ 2.
  transitivity (\sum_i (w 0 i * y i ^+ 2 - (2%:R * m) * (w 0 i * y i) + m ^+ 2 * w 0 i)).
    by apply: eq_bigr => i _; rewrite /a; ring.
  by rewrite big_split sumrB /= -!mulr_sumr w_sum1 -/m; ring.
by rewrite ler_subl_addr ler_addl sqr_ge0.
Qed.

(** Markov: where the mean of T ≥ 0 is at most e, T ≤ h with probability 1 − e/h at least. *)
Lemma markov (T : sample -> R) e h : (forall s, 0 <= T s) -> 0 < h ->
  \sum_s chance s * T s <= e -> 1 - e / h <= \sum_(s | T s <= h) chance s.
Proof.
move=> T0 h0 le_e; rewrite -chance_sum1 (bigID (fun s => T s <= h)) /=.
rewrite -addrA ger_addl subr_le0 ler_pdivl_mulr // mulr_suml; apply: le_trans le_e.
rewrite [X in _ <= X](bigID (fun s => T s <= h)) /= ler_paddl //.
  by apply: sumr_ge0 => s _; rewrite mulr_ge0 ?chance_ge0.
by apply: ler_sum => s; rewrite -ltNge => /ltW lt_h; rewrite ler_wpmul2l ?chance_ge0.
Qed.

Lemma ler_sum_subset (P P' : pred sample) (F : sample -> R) :
  (forall s, P s -> P' s) -> (forall s, P' s -> 0 <= F s) -> \sum_(s | P s) F s <= \sum_(s | P' s) F s.
Proof.
move=> sub F0; rewrite [X in _ <= X](bigID P) /= ler_paddr //.
  by apply: sumr_ge0 => s /andP[/F0].
rewrite le_eqVlt; apply/orP; left; apply/eqP; apply: eq_bigl => s.
by case Ps: (P s); rewrite ?andbF // (sub _ Ps).
Qed.

End Chance.

Section Near.
Variables (R : rcfType) (M N n : nat) (w : 'rV[R]_M) (Phi : 'M[R]_(M, n)).
Hypothesis w_ge0 : forall i, 0 <= w 0 i.
Hypothesis w_sum1 : \sum_i w 0 i = 1.
Hypothesis N_gt0 : (0 < N)%N.
Implicit Types (s : {ffun 'I_N -> 'I_M}) (x : 'rV[R]_n).

(** G = Σ_i w_i φ_iᵀ φ_i. *)
Definition population : 'M[R]_n := \matrix_(j, l) \sum_i w 0 i * (Phi i j * Phi i l).
(** Ĝ = (1/N) Σ_t φ_{s_t}ᵀ φ_{s_t}. *)
Definition sample_gram s : 'M[R]_n := \matrix_(j, l) (N%:R^-1 * \sum_t Phi (s t) j * Phi (s t) l).
(** x (G + γI)⁻¹ xᵀ. *)
Definition leverage (G : 'M[R]_n) g x : R := (x *m invmx (G + g%:M) *m x^T) 0 0.
(** tr G (G + γI)⁻¹. *)
Definition dimension (G : 'M[R]_n) g : R := \tr (G *m invmx (G + g%:M)).

Lemma population_sym : symmetric population.
Proof. by apply/matrixP => j l; rewrite !mxE; apply: eq_bigr => i _; rewrite [Phi i j * _]mulrC. Qed.

Lemma populationE : population = Phi^T *m diag_mx w *m Phi.
Proof.
apply/matrixP => j l; rewrite mul_mx_diag !mxE; apply: eq_bigr => i _; rewrite !mxE.
by rewrite mulrCA mulrA.
Qed.

Lemma sample_gram_sym s : symmetric (sample_gram s).
Proof. by apply/matrixP => j l; rewrite !mxE; congr (_ * _); apply: eq_bigr => t _; rewrite mulrC. Qed.

Lemma qf_population x : qf population x = \sum_i w 0 i * (x *m (row i Phi)^T) 0 0 ^+ 2.
Proof.
rewrite qfE; under eq_bigr do under eq_bigr do rewrite mxE mulr_suml.
under eq_bigr do rewrite exchange_big; rewrite exchange_big; apply: eq_bigr => i _ /=.
rewrite expr2 mxE mulr_suml mulr_sumr; apply: eq_bigr => j _.
rewrite !mulr_sumr; apply: eq_bigr => l _; rewrite !mxE.
by move: (w 0 i) (Phi i j) (Phi i l) (x 0 j) (x 0 l) => a b c d e; ring.
Qed.

Lemma qf_sample s x :
  qf (sample_gram s) x = N%:R^-1 * \sum_t (x *m (row (s t) Phi)^T) 0 0 ^+ 2.
Proof.
rewrite qfE; under eq_bigr do under eq_bigr do rewrite mxE -mulrA mulr_suml.
under eq_bigr do rewrite -mulr_sumr exchange_big; rewrite -mulr_sumr exchange_big; congr (_ * _).
apply: eq_bigr => t _ /=; rewrite expr2 mxE mulr_suml; apply: eq_bigr => j _.
rewrite !mulr_sumr; apply: eq_bigr => l _; rewrite !mxE.
by move: (Phi _ j) (Phi _ l) (x 0 j) (x 0 l) => b c d e; ring.
Qed.

Lemma population_psd x : 0 <= qf population x.
Proof. by rewrite qf_population; apply: sumr_ge0 => i _; rewrite mulr_ge0 ?sqr_ge0. Qed.

Section Ridge.
Variables (g : R) (g_gt0 : 0 < g).
Local Notation G := population.
Local Notation lam := (eigval G).

Variable Q : 'M[R]_n.
Hypothesis diagQ : diagonalises Q G.

Lemma ridge_gt0 k : 0 < lam k + g.
Proof. by rewrite ltr_paddl // eigval_ge0 //; [exact: population_sym | exact: population_psd]. Qed.

Lemma ridge_diag : G + g%:M = Q^T *m diag_mx (\row_k (lam k + g)) *m Q.
Proof.
have [QQ GE] := diagQ; have QQ' := mulmx1C QQ.
have -> : diag_mx (\row_k (lam k + g)) = diag_mx (spectrum_row G) + g%:M.
  by apply/matrixP => i j; rewrite !mxE mulrnDl.
by rewrite mulmxDr mulmxDl -GE mul_mx_scalar -scalemxAl QQ' scalemx1.
Qed.

Lemma ridge_inv : invmx (G + g%:M) = Q^T *m diag_mx (\row_k (lam k + g)^-1) *m Q.
Proof.
have [QQ GE] := diagQ; have QQ' := mulmx1C QQ.
have inv : (G + g%:M) *m (Q^T *m diag_mx (\row_k (lam k + g)^-1) *m Q) = 1%:M.
  rewrite ridge_diag !mulmxA -[_ *m Q *m Q^T]mulmxA QQ mulmx1 -[_ *m diag_mx _ *m diag_mx _]mulmxA.
  rewrite mulmx_diag (_ : (\row__ _) = const_mx 1) ?diag_const_mx ?mulmx1 //.
  by apply/rowP => k; rewrite !mxE divff // gt_eqF ?ridge_gt0.
have [U _] := mulmx1_unit inv; have := congr1 (mulmx (invmx (G + g%:M))) inv.
by rewrite mulmx1 mulKmx.
Qed.

(** The head x along q_k, in units of √(λ_k + γ). *)
Let unit k : R := Num.sqrt (lam k + g).
Let z i (k : 'I_n) : R := (row i Phi *m Q^T) 0 k / unit k.

Lemma unit_gt0 k : 0 < unit k.
Proof. by rewrite sqrtr_gt0 ridge_gt0. Qed.

Lemma unit_sq k : unit k ^+ 2 = lam k + g.
Proof. by rewrite sqr_sqrtr // ltW // ridge_gt0. Qed.

Lemma leverage_sum i : leverage G g (row i Phi) = \sum_k z i k ^+ 2.
Proof.
rewrite /leverage ridge_inv; set D := diag_mx _; set x := row i Phi.
have -> : x *m (Q^T *m D *m Q) *m x^T = x *m Q^T *m D *m (x *m Q^T)^T by rewrite trmx_mul trmxK !mulmxA.
rewrite mxE; apply: eq_bigr => k _; rewrite mul_mx_diag [X in X * _]mxE [(_^T) k 0]mxE [(\row__ _) 0 k]mxE.
by rewrite /z exprMn exprVn unit_sq -/x; move: ((x *m Q^T) 0 k) (_^-1) => a b; rewrite mulrAC expr2.
Qed.

Lemma dimension_sum : dimension G g = \sum_(k < n) lam k / (lam k + g).
Proof.
have [QQ GE] := diagQ.
rewrite /dimension ridge_inv {1}GE !mulmxA -[_ *m Q *m Q^T]mulmxA QQ mulmx1 mxtrace_mulC !mulmxA QQ.
rewrite mul1mx mulmx_diag mxtrace_diag; by apply: eq_bigr => k _; rewrite !mxE.
Qed.

(** Σ_i w_i z_ik z_il = [k = l] λ_k/(λ_k + γ). *)
Lemma mean_whitened k l : \sum_i w 0 i * (z i k * z i l) = (lam k / (lam k + g)) *+ (k == l).
Proof.
have [QQ GE] := diagQ.
have coordE : \sum_i w 0 i * ((row i Phi *m Q^T) 0 k * (row i Phi *m Q^T) 0 l) = lam k *+ (k == l).
  have <- : (Q *m G *m Q^T) k l = lam k *+ (k == l).
    by rewrite {1}GE !mulmxA QQ mul1mx -mulmxA QQ mulmx1 !mxE.
  have -> : Q *m G *m Q^T = (Phi *m Q^T)^T *m (diag_mx w *m (Phi *m Q^T)).
    by rewrite populationE trmx_mul trmxK !mulmxA.
  rewrite mxE; apply: eq_bigr => i _; rewrite mul_diag_mx -!row_mul.
  rewrite [(_^T) k i]mxE [(\matrix_(_, _) _) i l]mxE ![row _ _ 0 _]mxE.
  by move: (w 0 i) ((_ *m _) i k) ((_ *m _) i l) => a b c; rewrite mulrCA.
transitivity ((\sum_i w 0 i * ((row i Phi *m Q^T) 0 k * (row i Phi *m Q^T) 0 l)) / (unit k * unit l)).
  rewrite mulr_suml; apply: eq_bigr => i _; rewrite /z invfM.
  move: (w 0 i) ((row i Phi *m Q^T) 0 k) ((row i Phi *m Q^T) 0 l) (unit k)^-1 (unit l)^-1 => a b c d e.
  by ring.
rewrite coordE; case: eqP => [<-|_]; last by rewrite !mulr0n mul0r.
by rewrite !mulr1n -expr2 unit_sq.
Qed.

(** Σ_kl of the squares of Ĝ − G along q_k and q_l, in units of √(λ_k + γ) √(λ_l + γ). *)
Let deviation s (k l : 'I_n) : R :=
  N%:R^-1 * (\sum_t z (s t) k * z (s t) l) - \sum_i w 0 i * (z i k * z i l).
Let total s : R := \sum_k \sum_l deviation s k l ^+ 2.

Lemma total_mean kappa : (forall i, leverage G g (row i Phi) <= kappa) ->
  \sum_s chance w s * total s <= kappa * dimension G g / N%:R.
Proof.
move=> le_kappa; have -> : \sum_s chance w s * total s = \sum_k \sum_l \sum_s chance w s * deviation s k l ^+ 2.
  under [RHS]eq_bigr do rewrite exchange_big; rewrite exchange_big; apply: eq_bigr => s _ /=.
  by rewrite mulr_sumr; apply: eq_bigr => k _; rewrite mulr_sumr.
apply: le_trans (_ : \sum_k \sum_(l < n) N%:R^-1 * (\sum_i w 0 i * (z i k * z i l) ^+ 2) <= _).
  apply: ler_sum => k _; apply: ler_sum => l _.
  exact: (mean_deviation w_sum1 (fun i => z i k * z i l) N_gt0).
under eq_bigr do rewrite -mulr_sumr; rewrite -mulr_sumr mulrC ler_wpmul2r ?invr_ge0 ?ler0n //.
have -> : \sum_k \sum_(l < n) \sum_i w 0 i * (z i k * z i l) ^+ 2 =
    \sum_i w 0 i * leverage G g (row i Phi) ^+ 2.
  under eq_bigr do rewrite exchange_big; rewrite exchange_big; apply: eq_bigr => i _ /=.
  rewrite leverage_sum expr2 mulr_suml mulr_sumr; apply: eq_bigr => k _.
  by rewrite !mulr_sumr; apply: eq_bigr => l _; rewrite exprMn.
have -> : dimension G g = \sum_i w 0 i * leverage G g (row i Phi).
  rewrite dimension_sum; under [RHS]eq_bigr do rewrite leverage_sum mulr_sumr.
  rewrite exchange_big; apply: eq_bigr => k _ /=; have := mean_whitened k k.
  by rewrite eqxx mulr1n => <-; apply: eq_bigr => i _; rewrite expr2.
rewrite mulr_sumr; apply: ler_sum => i _; rewrite [X in _ <= X]mulrCA ler_wpmul2l // expr2 ler_wpmul2r //.
by rewrite leverage_sum; apply: sumr_ge0 => k _; apply: sqr_ge0.
Qed.

Lemma total_near s eta : 0 <= eta -> total s <= eta ^+ 2 -> relative_near g eta G (sample_gram s).
Proof.
move=> eta0 small x; pose y : 'rV[R]_n := \row_k ((x *m Q^T) 0 k * unit k).
pose D : 'M[R]_n := \matrix_(k, l) deviation s k l.
have [QQ GE] := diagQ; have QQ' := mulmx1C QQ.
have coordE i : (x *m (row i Phi)^T) 0 0 = \sum_k y 0 k * z i k.
  have -> : x *m (row i Phi)^T = x *m Q^T *m (row i Phi *m Q^T)^T.
    by rewrite trmx_mul trmxK mulmxA -[x *m Q^T *m Q]mulmxA QQ' mulmx1.
  rewrite mxE; apply: eq_bigr => k _; rewrite [(_^T) k 0]mxE [y 0 k]mxE /z.
  by rewrite mulrACA divff ?mulr1 // gt_eqF // unit_gt0.
have ridgeE : sqn y = qf G x + g * sqn x.
  rewrite (qf_spectral x diagQ) -(sqn_orthogonal x QQ) !sqnE mulr_sumr -big_split; apply: eq_bigr => k _ /=.
  by rewrite [y 0 k]mxE exprMn unit_sq mulrDr mulrC [_ * g]mulrC.
have square (I : finType) (c : I -> R) (v : I -> 'I_n -> R) :
    \sum_i c i * (\sum_k y 0 k * v i k) ^+ 2
      = \sum_k \sum_l (\sum_i c i * (v i k * v i l)) * (y 0 k * y 0 l).
  under [RHS]eq_bigr do under eq_bigr do rewrite mulr_suml.
  under [RHS]eq_bigr do rewrite exchange_big; rewrite exchange_big; apply: eq_bigr => i _ /=.
  rewrite expr2 mulr_suml mulr_sumr; apply: eq_bigr => k _; rewrite !mulr_sumr; apply: eq_bigr => l _.
  by move: (c i) (v i k) (v i l) (y 0 k) (y 0 l) => *; ring.
have devE : qf (sample_gram s) x - qf G x = qf D y.
  rewrite qf_sample qf_population qfE mulr_sumr.
  under eq_bigr do rewrite coordE.
  under [X in _ - X]eq_bigr do rewrite coordE.
  rewrite (square _ (fun=> N%:R^-1) (fun t => z (s t))) (square _ (fun i => w 0 i) z) -sumrB.
  apply: eq_bigr => k _; rewrite -sumrB; apply: eq_bigr => l _.
  by rewrite -mulrBl [D k l]mxE /deviation mulr_sumr.
have smallD : \sum_k \sum_l D k l ^+ 2 <= eta ^+ 2.
  apply: le_trans small; rewrite /total; apply: ler_sum => k _; apply: ler_sum => l _.
  by rewrite [D k l]mxE.
have := opnorm_frobenius eta0 smallD y; rewrite -devE ridgeE ler_norml => /andP[lo hi].
split; last by rewrite mulrDl mul1r -addrA [g * _ + _]addrC addrA ler_add2r -ler_subl_addl.
move: lo; rewrite -subr_ge0 => lo; rewrite -subr_ge0; move: lo.
move: (qf (sample_gram s) x) (qf G x) (g * sqn x) => h q r; rewrite (_ : h + r - _ = h - q - - (eta * (q + r))) //.
by ring.
Qed.

End Ridge.

(** C4: for κ at least the leverage of every point, and d the effective dimension, N draws have
    (1 − η)(G + γI) ≼ Ĝ + γI ≼ (1 + η)(G + γI) with probability 1 − κd/(Nη²) at least: there are
    samples of that mass for which it holds. *)
Theorem sample_near g eta kappa : 0 < g -> 0 < eta ->
  (forall i, leverage population g (row i Phi) <= kappa) ->
  exists2 good : pred {ffun 'I_N -> 'I_M},
    1 - kappa * dimension population g / (N%:R * eta ^+ 2) <= \sum_(s | good s) chance w s
    & forall s, good s -> relative_near g eta population (sample_gram s).
Proof.
move=> g0 eta0 le_kappa; have [Q diagQ] := spectral_theorem population_sym.
pose z i k := (row i Phi *m Q^T) 0 k / Num.sqrt (eigval population k + g).
pose total s := \sum_(k < n) \sum_(l < n)
  (N%:R^-1 * (\sum_t z (s t) k * z (s t) l) - \sum_i w 0 i * (z i k * z i l)) ^+ 2.
exists (fun s => total s <= eta ^+ 2) => [|s]; last exact: total_near (ltW eta0).
rewrite (_ : _ / (_ * _) = kappa * dimension population g / N%:R / eta ^+ 2); last by rewrite invfM mulrA.
apply: markov (exprn_gt0 2 eta0) (total_mean g0 diagQ le_kappa) => // s.
by apply: sumr_ge0 => k _; apply: sumr_ge0 => l _; apply: sqr_ge0.
Qed.

(** C4 as a whole, with second moments: for 0 < η < 1, κ and d of the ridge ε, the population's ε-rank
    is between the counts of sample eigenvalues above ε(1 + 2η) and ε(1 − 2η) with probability
    1 − κd/(Nη²) at least. *)
Theorem sample_rank_chance eps eta kappa : 0 < eps -> 0 < eta -> eta < 1 ->
  (forall i, leverage population eps (row i Phi) <= kappa) ->
  1 - kappa * dimension population eps / (N%:R * eta ^+ 2) <=
  \sum_(s | (epsrank (sample_gram s) (eps * (1 + 2%:R * eta)) <= epsrank population eps)%N
          && (epsrank population eps <= epsrank (sample_gram s) (eps * (1 - 2%:R * eta)))%N) chance w s.
Proof.
move=> eps0 eta0 eta1 le_kappa; have [good le_good near] := sample_near eps0 eta0 le_kappa.
apply: le_trans le_good _; apply: ler_sum_subset => [s good_s|s _]; last exact: chance_ge0.
have [below above] := sample_rank_ridge population_sym (sample_gram_sym s) (ltW eta0) eta1 (near s good_s) (erefl eps).
by rewrite below above.
Qed.

End Near.
