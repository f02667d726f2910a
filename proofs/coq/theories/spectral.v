(** * The spectral theorem, and the ε-rank

    - [eigenvalues G]   the eigenvalues of G in R, with algebraic multiplicity, largest first;
    - [eigval G k]      λ_{k+1}, the k-th of them counted from 0, and 0 beyond the last;
    - [epsrank G eps]   r_ε(G) = #{k : λ_k > ε}, strictly greater;
    - [symmetric G]     Gᵀ = G;
    - [spectrum_row G]  the row (λ_1, …, λ_n);
    - [diagonalises Q G] Q is orthogonal and G = Qᵀ diag(λ_1, …, λ_n) Q: the rows of Q are
                        orthonormal eigenvectors q_1, …, q_n;
    - [rowsub f Q]      the rows of Q number f 0, f 1, …, a part of the eigenvectors;
    - [(x <= V)%MS]     the row x lies in the subspace spanned by the rows of V;
    - [\rank V]         its dimension;   [row_free V]  the rows of V are independent. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import fingroup perm polyorder polyrcf realalg.
From EpsRank Require Import form orthogonal.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Definitions.
Variable R : rcfType.

(** The roots of the characteristic polynomial, each as often as its multiplicity, descending. *)
Definition eigenvalues n (G : 'M[R]_n) : seq R :=
  rev (flatten [seq nseq (\mu_x (char_poly G)) x | x <- rootsR (char_poly G)]).

(** λ_{k+1}. *)
Definition eigval n (G : 'M[R]_n) (k : nat) : R := nth 0 (eigenvalues G) k.

(** r_ε(G) = #{k : λ_k > ε}. *)
Definition epsrank n (G : 'M[R]_n) (eps : R) : nat := count (> eps) (eigenvalues G).

(** Gᵀ = G. *)
Definition symmetric n (G : 'M[R]_n) : Prop := G^T = G.

(** (λ_1, …, λ_n). *)
Definition spectrum_row n (G : 'M[R]_n) : 'rV[R]_n := \row_k eigval G k.

(** Q Qᵀ = 1 and G = Qᵀ diag(λ_1, …, λ_n) Q. *)
Definition diagonalises n (Q G : 'M[R]_n) : Prop :=
  Q *m Q^T = 1%:M /\ G = Q^T *m diag_mx (spectrum_row G) *m Q.

End Definitions.

Section Spectral.
Variable R : rcfType.
Implicit Types (n : nat) (eps : R).

(** The number of times that y occurs among the eigenvalues is its multiplicity as a root. *)
Lemma count_eigenvalues n (G : 'M[R]_n) y : count_mem y (eigenvalues G) = \mu_y (char_poly G).
Proof.
have p0 : char_poly G != 0 by rewrite monic_neq0 ?char_poly_monic.
have ry : (y \in rootsR (char_poly G)) = root (char_poly G) y.
  by rewrite -roots_on_rootsR.
rewrite count_rev count_flatten -map_comp sumnE big_map.
rewrite (eq_bigr (fun x => if x == y then \mu_y (char_poly G) else 0%N)) => [|x _]; last first.
  by rewrite /= count_nseq /=; case: eqP => [->|_]; rewrite ?mul1n ?mul0n.
rewrite -big_mkcond /= big_const_seq iter_addn_0 count_uniq_mem ?uniq_roots // ry.
by case: (boolP (root _ _)) => [_|/muNroot ->]; rewrite ?muln1 ?muln0.
Qed.

(** The multiplicity of y in Π_i (X − s_i) is the number of times that y occurs in s. *)
Lemma mu_prod_XsubC (s : seq R) y : \mu_y (\prod_(x <- s) ('X - x%:P)) = count_mem y s.
Proof.
elim: s => [|x s IHs]; first by rewrite big_nil mu_polyC.
have p0 (t : seq R) : \prod_(z <- t) ('X - z%:P) != 0.
  by rewrite monic_neq0 // monic_prod_XsubC.
have := p0 (x :: s); rewrite big_cons => xs0; rewrite mu_mul //= IHs; congr (_ + _)%N.
have [->|xy] := eqVneq x y; first exact: mu_XsubC.
by rewrite muNroot // root_XsubC eq_sym.
Qed.

(** Qᵀ diag(d) Q has the characteristic polynomial Π_i (X − d_i). *)
Lemma char_poly_orth n (Q : 'M[R]_n) (d : 'rV[R]_n) :
  Q *m Q^T = 1%:M -> char_poly (Q^T *m diag_mx d *m Q) = \prod_i ('X - (d 0 i)%:P).
Proof.
move=> Qu; transitivity (char_poly (diag_mx d)); last first.
  by rewrite char_poly_trig ?diag_mx_is_trig //; apply: eq_bigr => i _; rewrite mxE eqxx.
rewrite /char_poly /char_poly_mx !map_mxM /=; set q := map_mx _ Q; set qt := map_mx _ Q^T.
have qtq : qt *m q = 1%:M by rewrite -map_mxM orth_tr // map_mx1.
have -> : 'X%:M - qt *m map_mx polyC (diag_mx d) *m q
    = qt *m ('X%:M - map_mx polyC (diag_mx d)) *m q.
  by rewrite mulmxBr mulmxBl mul_mx_scalar -scalemxAl qtq scalemx1.
by rewrite !det_mulmx mulrAC -det_mulmx qtq det1 mul1r.
Qed.

(** The spectrum is intrinsic: whatever orthogonal matrix diagonalises G, the diagonal is the
    list of eigenvalues up to order. *)
Theorem spectrum_intrinsic n (Q G : 'M[R]_n) (d : 'rV[R]_n) :
  Q *m Q^T = 1%:M -> G = Q^T *m diag_mx d *m Q ->
  perm_eq (eigenvalues G) [seq d 0 i | i <- enum 'I_n].
Proof.
move=> Qu GE; apply/allP => y _ /=; apply/eqP.
by rewrite count_eigenvalues GE char_poly_orth // -mu_prod_XsubC big_map enumT.
Qed.

(** The ε-rank is intrinsic: any orthogonal diagonalisation counts the same number. *)
Theorem epsrank_intrinsic n (Q G : 'M[R]_n) (d : 'rV[R]_n) eps :
  Q *m Q^T = 1%:M -> G = Q^T *m diag_mx d *m Q -> epsrank G eps = #|[set i | eps < d 0 i]|.
Proof.
move=> Qu GE; rewrite /epsrank (seq.permP (spectrum_intrinsic Qu GE)) -sum1_count big_map.
by rewrite big_enum_cond /= -sum1_card; apply: eq_bigl => i; rewrite inE.
Qed.

(** A symmetric matrix of size n has n eigenvalues. *)
Lemma size_eigenvalues n (G : 'M[R]_n) : symmetric G -> size (eigenvalues G) = n.
Proof.
move=> symG; have [Q [d [Qu GE]]] := sym_diagonal symG.
by rewrite (perm_size (spectrum_intrinsic Qu GE)) size_map size_enum_ord.
Qed.

(** λ_1 ≥ λ_2 ≥ … *)
Lemma eigenvalues_sorted n (G : 'M[R]_n) : sorted >=%R (eigenvalues G).
Proof.
rewrite rev_sorted -[sorted _ _]/(sorted <=%R _) /rootsR.
set b := cauchy_bound _; have := sorted_roots (- b) b (char_poly G); move: (roots _ _ _) => s.
have nseq_sorted m (x : R) : sorted <=%R (nseq m x) by case: m => //; elim=> //= m ->; rewrite lexx.
rewrite (sorted_pairwise lt_trans) => s_lt; rewrite (sorted_pairwise le_trans).
elim: s s_lt => //= x s IHs /andP[/allP x_lt /IHs sS].
rewrite pairwise_cat sS -(sorted_pairwise le_trans) nseq_sorted !andbT.
apply/allrelP => y z /nseqP[-> _] /flattenP[_ /mapP[w ws ->] /nseqP[-> _]].
by rewrite ltW // x_lt.
Qed.

(** The spectral theorem: a real symmetric matrix is diagonalised by an orthogonal one. *)
Theorem spectral_theorem n (G : 'M[R]_n) : symmetric G -> exists Q, diagonalises Q G.
Proof.
move=> symG; have [Q [d [Qu GE]]] := sym_diagonal symG.
have sz : size (eigenvalues G) == n by rewrite size_eigenvalues.
have := spectrum_intrinsic Qu GE.
rewrite -[eigenvalues G]/(tval (Tuple sz)) -[map _ _]/(tval [tuple d 0 i | i < n]).
case/tuple_permP => p /= pE.
have pk (k : 'I_n) : eigval G k = d 0 (p k).
  by rewrite /eigval pE (nth_map k) ?size_enum_ord // nth_ord_enum tnth_map tnth_ord_tuple.
exists (row_perm p Q); split.
  by rewrite row_permE orthM // tr_perm_mx -perm_mxM mulgV perm_mx1.
rewrite {1}GE row_permE trmx_mul !mulmxA -2!(mulmxA Q^T) tr_perm_mx.
rewrite -!mulmxA; congr (_ *m _); rewrite !mulmxA; congr (_ *m _).
rewrite -row_permE -[p in perm_mx p]invgK -col_permE; apply/matrixP => i j.
by rewrite !mxE pk permKV (inj_eq perm_inj).
Qed.

(** λ_{j+1} ≤ λ_{i+1} for i ≤ j < n. *)
Lemma eigval_mono n (G : 'M[R]_n) i j :
  symmetric G -> (i <= j < n)%N -> eigval G j <= eigval G i.
Proof.
move=> symG /andP[ij jn]; have szG := size_eigenvalues symG.
have := @sorted_leq_nth _ >=%R (rev_trans le_trans) lexx 0 _ (eigenvalues_sorted G).
by apply=> //; rewrite inE szG // (leq_ltn_trans ij).
Qed.

(** λ_{n+1} := 0. *)
Lemma eigval_over n (G : 'M[R]_n) k : symmetric G -> (n <= k)%N -> eigval G k = 0.
Proof. by move=> symG nk; rewrite /eigval nth_default // size_eigenvalues. Qed.

(** r_ε counts the eigenvalues above ε. *)
Lemma epsrankE n (G : 'M[R]_n) eps :
  symmetric G -> epsrank G eps = #|[set i : 'I_n | eps < eigval G i]|.
Proof.
move=> symG; have [Q [Qu GE]] := spectral_theorem symG.
by rewrite (epsrank_intrinsic eps Qu GE); apply: eq_card => i; rewrite !inE mxE.
Qed.

(** In a descending list exactly the first entries, as many as exceed ε, exceed ε. *)
Lemma count_gt_nth (s : seq R) eps p :
  sorted >=%R s -> (p < size s)%N -> (p < count (> eps) s)%N = (eps < nth 0 s p).
Proof.
rewrite (sorted_pairwise (rev_trans le_trans)); elim: s p => //= x s IHs p /andP[/allP xge sS] ps.
have [ex|xe] := ltP eps x; first by case: p ps => [|p] ps; rewrite ?ex // add1n ltnS IHs.
have le_eps y : y \in x :: s -> y <= eps.
  by rewrite inE => /predU1P[->//|/xge yx]; apply: (le_trans yx xe).
rewrite [RHS]ltNge le_eps ?(mem_nth 0 (s := x :: s)) // add0n (_ : count _ _ = 0%N) ?ltn0 //.
apply/eqP; rewrite -leqn0 leqNgt -has_count; apply/hasPn => y ys.
by rewrite -leNgt le_eps // inE ys orbT.
Qed.

(** λ_{p+1} > ε if and only if p < r_ε. *)
Lemma epsrank_gtP n (G : 'M[R]_n) eps p :
  symmetric G -> (p < n)%N -> (p < epsrank G eps)%N = (eps < eigval G p).
Proof.
by move=> symG pn; rewrite count_gt_nth ?eigenvalues_sorted // size_eigenvalues.
Qed.

(** r_ε ≤ n. *)
Lemma epsrank_leq n (G : 'M[R]_n) eps : symmetric G -> (epsrank G eps <= n)%N.
Proof. by move=> symG; rewrite -{2}(size_eigenvalues symG) count_size. Qed.

(** At p = r_ε the next eigenvalue is at most ε. *)
Lemma eigval_epsrank n (G : 'M[R]_n) eps :
  symmetric G -> 0 <= eps -> eigval G (epsrank G eps) <= eps.
Proof.
move=> symG eps0; have [nr|rn] := leqP n (epsrank G eps); first by rewrite eigval_over.
by rewrite leNgt -epsrank_gtP // ltnn.
Qed.

(** In the eigenbasis the quadratic form is Σ_k λ_k (x qᵀ_k)². *)
Lemma qf_spectral n (Q G : 'M[R]_n) (x : 'rV[R]_n) :
  diagonalises Q G -> qf G x = \sum_(k < n) eigval G k * ((x *m Q^T) 0 k) ^+ 2.
Proof.
case=> Qu GE; rewrite {1}GE -{2}[Q]trmxK qf_congr qf_diag.
by apply: eq_bigr => k _; rewrite mxE.
Qed.

(** |xQᵀ|² = |x|². *)
Lemma sqn_orthogonal n (Q : 'M[R]_n) (x : 'rV[R]_n) :
  Q *m Q^T = 1%:M -> sqn (x *m Q^T) = sqn x.
Proof. by move=> Qu; rewrite /sqn trmx_mul trmxK mulmxA -[_ *m Q]mulmxA orth_tr // mulmx1. Qed.

(** The eigenvalues of a positive semidefinite matrix are non-negative. *)
Lemma eigval_ge0 n (G : 'M[R]_n) k :
  symmetric G -> (forall x, 0 <= qf G x) -> 0 <= eigval G k.
Proof.
move=> symG psdG; have [nk|kn] := leqP n k; first by rewrite eigval_over.
have [Q dG] := spectral_theorem symG; have := psdG (row (Ordinal kn) Q).
rewrite (qf_spectral _ dG) -row_mul dG.1 (bigD1 (Ordinal kn)) //= big1 => [|i ik].
  by rewrite !mxE eqxx expr1n mulr1 addr0.
by rewrite !mxE eq_sym (negPf ik) expr0n mulr0.
Qed.

End Spectral.

(** ** Frames of eigenvectors *)

Section Frames.
Variables (R : rcfType) (n : nat) (Q G : 'M[R]_n).
Hypothesis dG : diagonalises Q G.
Variables (m : nat) (f : 'I_m -> 'I_n).
Hypothesis f_inj : injective f.

(** The eigenvectors number f 0, f 1, … are orthonormal. *)
Lemma frame_orth : rowsub f Q *m (rowsub f Q)^T = 1%:M.
Proof.
rewrite trmx_mxsub -mxsub_mul dG.1.
by apply/matrixP => i j; rewrite !mxE (inj_eq f_inj).
Qed.

(** They are independent. *)
Lemma frame_free : row_free (rowsub f Q).
Proof. by apply/row_freeP; exists (rowsub f Q)^T; exact: frame_orth. Qed.

(** |a_0 q_{f 0} + a_1 q_{f 1} + …|² = Σ_i a_i². *)
Lemma sqn_frame (a : 'rV[R]_m) : sqn (a *m rowsub f Q) = \sum_i a 0 i ^+ 2.
Proof. by rewrite -sqnE /sqn trmx_mul mulmxA -[a *m _ *m _]mulmxA frame_orth mulmx1. Qed.

(** The form of G at a_0 q_{f 0} + a_1 q_{f 1} + … is Σ_i λ_{f i} a_i². *)
Lemma qf_frame (a : 'rV[R]_m) : qf G (a *m rowsub f Q) = \sum_i eigval G (f i) * a 0 i ^+ 2.
Proof.
have QGQ : Q *m G *m Q^T = diag_mx (spectrum_row G).
  by rewrite {1}dG.2 !mulmxA dG.1 mul1mx -mulmxA dG.1 mulmx1.
have -> : qf G (a *m rowsub f Q) = qf (diag_mx (\row_i eigval G (f i))) a.
  rewrite -qf_congr trmx_mxsub mul_rowsub_mx -mxsub_mul QGQ; congr (qf _ a).
  by apply/matrixP => i j; rewrite !mxE (inj_eq f_inj).
by rewrite qf_diag; apply: eq_bigr => i _; rewrite mxE.
Qed.

End Frames.

(** ** M1: the ε-rank as a maximal dimension *)

Section Variational.
Variables (R : rcfType) (n : nat) (G : 'M[R]_n) (eps : R).
Hypothesis symG : symmetric G.

(** A dimension of r_ε is attained: there x G xᵀ > ε |x|². *)
Theorem epsrank_attained :
  exists2 V : 'M[R]_(epsrank G eps, n), row_free V &
    forall x, (x <= V)%MS -> x != 0 -> eps * sqn x < qf G x.
Proof.
have [Q dG] := spectral_theorem symG; pose f := widen_ord (epsrank_leq eps symG).
have f_inj : injective f by move=> i j /(congr1 val) /= /val_inj.
exists (rowsub f Q); first exact: (frame_free dG f_inj).
move=> _ /submxP[a ->]; rewrite (mulmx_free_eq0 _ (frame_free dG f_inj)) => a0.
rewrite -subr_gt0 (sqn_frame dG f_inj) (qf_frame dG f_inj) mulr_sumr -sumrB.
have lam i : 0 < eigval G (f i) - eps by rewrite subr_gt0 -epsrank_gtP ?ltn_ord //= ltn_ord.
have [i ai|all0] := pickP (fun i => a 0 i != 0); last first.
  by case/eqP: a0; apply/rowP => i; rewrite mxE; apply/eqP; rewrite -[_ == _]negbK all0.
rewrite (bigD1 i) //= ltr_paddr //.
  by apply: sumr_ge0 => j _; rewrite -mulrBl mulr_ge0 ?sqr_ge0 // (ltW (lam j)).
by rewrite -mulrBl mulr_gt0 ?lam // exprn_even_gt0.
Qed.

(** Dually, on some subspace of dimension n − r_ε, x G xᵀ ≤ ε |x|². *)
Theorem epsrank_coattained :
  exists2 V : 'M[R]_((n - epsrank G eps)%N, n), row_free V &
    forall x, (x <= V)%MS -> qf G x <= eps * sqn x.
Proof.
have [Q dG] := spectral_theorem symG.
have rn := epsrank_leq eps symG.
have fP (i : 'I_(n - epsrank G eps)) : (epsrank G eps + i < n)%N by rewrite -ltn_subRL.
pose f i := Ordinal (fP i).
have f_inj : injective f by move=> i j /(congr1 val) /= /addnI /val_inj.
exists (rowsub f Q); first exact: (frame_free dG f_inj).
move=> _ /submxP[a ->]; rewrite (sqn_frame dG f_inj) (qf_frame dG f_inj) mulr_sumr.
apply: ler_sum => i _; rewrite ler_wpmul2r ?sqr_ge0 //.
by rewrite leNgt -epsrank_gtP //= -leqNgt leq_addr.
Qed.

(** A subspace where the form exceeds ε|x|², and one where it does not, are in direct sum. *)
Lemma rank_disjoint m1 m2 (V : 'M[R]_(m1, n)) (W : 'M[R]_(m2, n)) :
  (forall x, (x <= V)%MS -> x != 0 -> eps * sqn x < qf G x) ->
  (forall x, (x <= W)%MS -> qf G x <= eps * sqn x) -> (\rank V + \rank W <= n)%N.
Proof.
move=> Vgt Wle; rewrite -mxrank_disjoint_sum ?rank_leq_col //.
apply/eqP/rowV0P => x; rewrite sub_capmx => /andP[xV xW]; apply/eqP/negPn/negP => x0.
by have := Vgt x xV x0; rewrite ltNge Wle.
Qed.

(** A subspace (the rows of V) on which x G xᵀ > ε |x|² has dimension at most r_ε(G). *)
Theorem epsrank_max m (V : 'M[R]_(m, n)) :
  (forall x, (x <= V)%MS -> x != 0 -> eps * sqn x < qf G x) -> (\rank V <= epsrank G eps)%N.
Proof.
move=> Vgt; have [W /eqP Wfree Wle] := epsrank_coattained.
have := rank_disjoint Vgt Wle; rewrite Wfree.
by rewrite addnC -leq_subRL ?leq_subr // subKn ?epsrank_leq.
Qed.

(** Dually, a subspace on which x G xᵀ ≤ ε |x|² has dimension at most n − r_ε(G). *)
Theorem epsrank_min m (V : 'M[R]_(m, n)) :
  (forall x, (x <= V)%MS -> qf G x <= eps * sqn x) -> (epsrank G eps + \rank V <= n)%N.
Proof.
move=> Vle; have [W /eqP Wfree Wgt] := epsrank_attained.
by have := rank_disjoint Wgt Vle; rewrite Wfree.
Qed.

End Variational.

(** The theory is inhabited: the real algebraic numbers are a real closed field, and there the
    identity matrix of size n has ε-rank n at ε = 1/2. *)
Example epsrank_identity n : epsrank (1%:M : 'M[realalg]_n) (1 / 2%:R) = n.
Proof.
have Qu : (1%:M : 'M[realalg]_n) *m 1%:M^T = 1%:M by rewrite trmx1 mulmx1.
rewrite (epsrank_intrinsic (d := const_mx 1) _ Qu).
  rewrite -[RHS]card_ord -cardsT; apply: eq_card => i.
  by rewrite !inE mxE ltr_pdivr_mulr ?ltr0n // mul1r ltr1n.
by rewrite trmx1 mul1mx mulmx1 diag_const_mx.
Qed.
