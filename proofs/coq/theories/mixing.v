(** * How the ε-rank moves when the neurons are mixed (M6)

    - [mix phi T]       the mixed features φT, whose j-th is Σ_i T_ij φ_i; Gram matrix TᵀGT;
    - [eigval (T^T *m T) 0], [eigval (T^T *m T) n.-1]  the largest and the smallest eigenvalue of
                        TᵀT: the squares σ_max², σ_min² of the extreme singular values of T;
    - [T \in unitmx]    T is invertible. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral rank.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** From eigenvalues to quadratic forms *)

Section Rayleigh.
Variable R : rcfType.

(** x G xᵀ ≤ s |x|² when no eigenvalue exceeds s. *)
Lemma qf_le_eigval n (G : 'M[R]_n) s x :
  symmetric G -> (forall k, (k < n)%N -> eigval G k <= s) -> qf G x <= s * sqn x.
Proof.
case/spectral_theorem=> Q diagQ le_s; rewrite (qf_spectral x diagQ).
rewrite -(sqn_orthogonal x (proj1 diagQ)) sqnE mulr_sumr; apply: ler_sum => k _.
by rewrite ler_wpmul2r ?sqr_ge0 ?le_s.
Qed.

(** s |x|² ≤ x G xᵀ when no eigenvalue is below s. *)
Lemma qf_ge_eigval n (G : 'M[R]_n) s x :
  symmetric G -> (forall k, (k < n)%N -> s <= eigval G k) -> s * sqn x <= qf G x.
Proof.
case/spectral_theorem=> Q diagQ ge_s; rewrite (qf_spectral x diagQ).
rewrite -(sqn_orthogonal x (proj1 diagQ)) sqnE mulr_sumr; apply: ler_sum => k _.
by rewrite ler_wpmul2r ?sqr_ge0 ?ge_s.
Qed.

(** λ_n |x|² ≤ x G xᵀ ≤ λ_1 |x|². *)
Lemma rayleigh n (G : 'M[R]_n) x :
  symmetric G -> eigval G n.-1 * sqn x <= qf G x <= eigval G 0 * sqn x.
Proof.
move=> symG; rewrite qf_le_eigval ?qf_ge_eigval //= => k k_n; apply: eigval_mono => //.
by rewrite -ltnS (ltn_predK k_n) k_n leqnn.
Qed.

(** From ε-ranks to eigenvalues: if r_c(G) ≤ r_d(H) at d = λ_{k+1}(H), then λ_{k+1}(G) ≤ c. *)
Lemma eigval_le_of_epsrank m n (G : 'M[R]_m) (H : 'M[R]_n) k c :
  symmetric G -> symmetric H -> (k < m)%N -> (k < n)%N ->
  (epsrank G c <= epsrank H (eigval H k))%N -> eigval G k <= c.
Proof.
move=> symG symH k_m k_n le_r; rewrite leNgt -epsrank_gtP //; apply/negP => /leq_trans/(_ le_r).
by rewrite epsrank_gtP // ltxx.
Qed.

End Rayleigh.

(** ** M6: mixing the neurons *)

Section Mixing.
Variable R : rcfType.
Implicit Types (n m : nat).

(** If |xTᵀ|² ≤ S|x|² for all x, S > 0, then r_ε(TᵀGT) ≤ r_{ε/S}(G), for any rectangular T. *)
Theorem rank_mixing_upper n m (T : 'M[R]_(n, m)) (G : 'M[R]_n) S eps :
  symmetric G -> 0 <= eps -> 0 < S -> (forall x, sqn (x *m T^T) <= S * sqn x) ->
  (epsrank (T^T *m G *m T) eps <= epsrank G (eps / S))%N.
Proof.
move=> symG eps_ge0 S_gt0 T_le; rewrite -[X in _ *m X]trmxK.
apply: (@epsrank_transfer _ _ _ T^T) => //; first exact: symmetric_congr.
move=> y y0; rewrite qf_congr => epsy; split.
  apply: contraTneq epsy => yT0; rewrite yT0 /qf !mul0mx mxE -leNgt.
  by rewrite mulr_ge0 ?sqn_ge0.
apply: le_lt_trans epsy; rewrite -mulrA ler_wpmul2l // mulrC ler_pdivr_mulr // mulrC.
exact: T_le.
Qed.

(** If s|x|² ≤ |xTᵀ|² for all x, s > 0 and T is invertible, then r_{ε/s}(G) ≤ r_ε(TᵀGT). *)
Theorem rank_mixing_lower n (T : 'M[R]_n) (G : 'M[R]_n) s eps :
  symmetric G -> 0 <= eps -> 0 < s -> T \in unitmx ->
  (forall x, s * sqn x <= sqn (x *m T^T)) ->
  (epsrank G (eps / s) <= epsrank (T^T *m G *m T) eps)%N.
Proof.
move=> symG eps_ge0 s_gt0 unitT T_ge; rewrite -[X in _ *m X]trmxK.
have unitTt : T^T \in unitmx by rewrite unitmx_tr.
apply: (@epsrank_transfer _ _ _ (invmx T^T)) => //; first exact: symmetric_congr.
move=> y y0 epsy; split.
  by apply: contraNneq y0 => yT0; rewrite -[y](mulmxKV unitTt) yT0 mul0mx.
rewrite qf_congr mulmxKV //; apply: le_lt_trans epsy.
by rewrite -mulrA ler_wpmul2l // ler_pdivl_mull // -{2}[y](mulmxKV unitTt) T_ge.
Qed.

Lemma symmetric_gramT n m (T : 'M[R]_(n, m)) : symmetric (T^T *m T).
Proof. by rewrite /symmetric trmx_mul trmxK. Qed.

Lemma qf_gramT n m (T : 'M[R]_(n, m)) x : qf (T^T *m T) x = sqn (x *m T^T).
Proof. by rewrite /qf /sqn trmx_mul trmxK !mulmxA. Qed.

(** An invertible T of size n > 0 has σ_min² > 0. *)
Lemma sigma_min_gt0 n (T : 'M[R]_n.+1) : T \in unitmx -> 0 < eigval (T^T *m T) n.
Proof.
move=> unitT; have symT := symmetric_gramT T; have unitTt : T^T \in unitmx by rewrite unitmx_tr.
rewrite -epsrank_gtP //; apply: leq_trans (_ : \rank (1%:M : 'M[R]_n.+1) <= _)%N.
  by rewrite mxrank1.
apply: epsrank_max => // x _ x0; rewrite mul0r qf_gramT sqn_gt0.
by rewrite mulmx_free_eq0 // row_free_unit.
Qed.

(** M6 (Ostrowski): r_{ε/σ_min²}(φ) ≤ r_ε(φT) ≤ r_{ε/σ_max²}(φ) for an invertible T, ε ≥ 0. *)
Theorem rank_mixing n (T G : 'M[R]_n) eps :
  symmetric G -> 0 <= eps -> T \in unitmx ->
  let s2_min := eigval (T^T *m T) n.-1 in let s2_max := eigval (T^T *m T) 0 in
  (epsrank G (eps / s2_min) <= epsrank (T^T *m G *m T) eps <= epsrank G (eps / s2_max))%N.
Proof.
case: n => [|n] in T G * => symG eps_ge0 unitT.
  have r0 (H : 'M[R]_0) d : symmetric H -> epsrank H d = 0%N.
    by move=> symH; apply/eqP; rewrite -leqn0 epsrank_leq.
  by rewrite /= !r0 // -[X in _ *m X]trmxK; apply: symmetric_congr.
have symT := symmetric_gramT T; have s_gt0 := sigma_min_gt0 unitT.
have S_gt0 : 0 < eigval (T^T *m T) 0.
  by apply: (lt_le_trans s_gt0); apply: eigval_mono; rewrite ?leqnn.
apply/andP; split.
  apply: rank_mixing_lower => // x; rewrite -qf_gramT.
  by case/andP: (rayleigh x symT).
apply: rank_mixing_upper => // x; rewrite -qf_gramT.
by case/andP: (rayleigh x symT).
Qed.

(** Ostrowski's theorem: σ_min² λ_k(G) ≤ λ_k(TᵀGT) ≤ σ_max² λ_k(G) for positive semidefinite G. *)
Theorem eigval_mixing n (T G : 'M[R]_n) k :
  symmetric G -> (forall x, 0 <= qf G x) -> T \in unitmx ->
  eigval (T^T *m T) n.-1 * eigval G k <= eigval (T^T *m G *m T) k
    <= eigval (T^T *m T) 0 * eigval G k.
Proof.
move=> symG G_ge0 unitT; have symTGT : symmetric (T^T *m G *m T).
  by rewrite -[X in _ *m X]trmxK; apply: symmetric_congr.
have [n_k|k_n] := leqP n k; first by rewrite !(eigval_over _ n_k) // !mulr0 lexx.
case: n => [|n] // in T G symG G_ge0 unitT symTGT k_n *.
have s_gt0 := sigma_min_gt0 unitT; have symT := symmetric_gramT T.
have S_gt0 : 0 < eigval (T^T *m T) 0.
  by apply: (lt_le_trans s_gt0); apply: eigval_mono; rewrite ?leqnn.
have TGT_ge0 x : 0 <= qf (T^T *m G *m T) x by rewrite -[X in _ *m X]trmxK qf_congr.
apply/andP; split.
  rewrite mulrC -ler_pdivl_mulr //; apply: (eigval_le_of_epsrank symG symTGT k_n k_n).
  by case/andP: (rank_mixing symG (eigval_ge0 k symTGT TGT_ge0) unitT).
apply: (eigval_le_of_epsrank symTGT symG k_n k_n).
have := rank_mixing symG (mulr_ge0 (ltW S_gt0) (eigval_ge0 k symG G_ge0)) unitT.
by case/andP=> _; rewrite mulrAC divff ?mul1r // gt_eqF.
Qed.

(** M6 for neurons. *)
Theorem rank_mixing_neurons (V : lmodType R) (B : preHilbert V) n (phi : 'I_n -> V)
    (T : 'M[R]_n) eps :
  0 <= eps -> T \in unitmx ->
  let s2_min := eigval (T^T *m T) n.-1 in let s2_max := eigval (T^T *m T) 0 in
  (epsrank (gram B phi) (eps / s2_min) <= epsrank (gram B (mix phi T)) eps
     <= epsrank (gram B phi) (eps / s2_max))%N.
Proof. by move=> eps_ge0 unitT; rewrite gram_mix; apply: rank_mixing => //; apply: gram_sym. Qed.

(** The rank itself (ε = 0) is kept by every invertible mixing. *)
Theorem rank_mixing_zero (V : lmodType R) (B : preHilbert V) n (phi : 'I_n -> V) (T : 'M[R]_n) :
  T \in unitmx -> epsrank (gram B (mix phi T)) 0 = epsrank (gram B phi) 0.
Proof.
move=> unitT; have := rank_mixing_neurons B phi (lexx 0) unitT.
by rewrite /= !mul0r -eqn_leq => /eqP/esym.
Qed.

End Mixing.
