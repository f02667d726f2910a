(** * The floors without a diagonalising basis

    Elsewhere an orthonormal eigenbasis Q of the Gram matrix is given, so that one may speak of its
    rows. There always is one, and here it is not mentioned. At p = r_ε the leading eigenvectors span a
    space that is the same for every Q; at other p there may be several, and there is one that will do.
    - [above G eps]          the span of the eigenvectors of G with eigenvalues > ε, whose dimension is
                             r_ε; [(c <= above G eps)%MS] says that the head c lies in it;
    - [C]                    p orthonormal heads, the rows of a p × n matrix: C Cᵀ = 1;
    - [comb phi (c *m C)]    a combination of the p features φ·C_1, …, φ·C_p;
    - [eigval (gram B phi) p]   λ_{p+1}, the (p+1)-st eigenvalue of the Gram matrix. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral selection projection floor outputs losses change.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** The heads in the span of the eigenvectors with eigenvalues > ε. *)
Definition above (R : rcfType) n (G : 'M[R]_n) (eps : R) : 'M[R]_n :=
  (\sum_(k < n | (eps < eigval G k)%R) eigenspace G (eigval G k))%MS.

Section Above.
Variables (R : rcfType) (n : nat).

Lemma diag_row (Q G : 'M[R]_n) k : diagonalises Q G -> row k Q *m G = eigval G k *: row k Q.
Proof.
move=> [QQ GE]; rewrite {1}GE -row_mul !mulmxA QQ mul1mx row_mul; apply/rowP => j.
rewrite -row_mul mul_diag_mx !mxE; by [].
Qed.

(** A head lies there if and only if it has no part along the other eigenvectors. *)
Lemma aboveP (Q G : 'M[R]_n) eps (c : 'rV[R]_n) : diagonalises Q G ->
  reflect (forall k : 'I_n, eigval G k <= eps -> (c *m Q^T) 0 k = 0) (c <= above G eps)%MS.
Proof.
move=> diagQ; have [QQ GE] := diagQ; have QQ' := mulmx1C QQ; apply: (iffP idP).
  move=> /sub_sumsmxP[u ->] k le_eps; rewrite mulmx_suml summxE; apply: big1 => l lt_l.
  set v := u l *m _; have : v *m G = eigval G l *: v by apply/eigenspaceP; exact: submxMl.
  move/(congr1 (fun x => (x *m Q^T) 0 k)); rewrite {1}GE -scalemxAl [in RHS]mxE !mulmxA.
  rewrite -[_ *m Q *m Q^T]mulmxA QQ mulmx1 mul_mx_diag !mxE mulrC => /eqP; rewrite -subr_eq0 -mulrBl.
  by rewrite mulf_eq0 subr_eq0 lt_eqF ?(le_lt_trans le_eps) // => /eqP.
move=> zero; rewrite -[c]mulmx1 -QQ' mulmxA mulmx_sum_row summx_sub // => k _.
have [le_eps|lt_eps] := leP (eigval G k) eps; first by rewrite zero // scale0r sub0mx.
apply: scalemx_sub; apply: (sumsmx_sup k) => //; apply/eigenspaceP; exact: diag_row.
Qed.

Variables (V : lmodType R) (B : preHilbert V) (phi : 'I_n -> V).
Local Notation G := (gram B phi).

(** Whatever the basis: the leading r_ε eigenfeatures span the combinations of the neurons by these
    heads. *)
Theorem in_span_above (Q : 'M[R]_n) eps v : diagonalises Q G ->
  in_span phi Q (epsrank G eps) v <-> exists2 c, (c <= above G eps)%MS & v = comb phi c.
Proof.
move=> diagQ; have [QQ _] := diagQ; have QQ' := mulmx1C QQ; have symG := gram_sym B phi.
have ltE (k : 'I_n) : (k < epsrank G eps)%N = (eps < eigval G k) by rewrite epsrank_gtP.
split=> [[a ->]|[c /(aboveP eps c diagQ) zero ->]].
  pose b : 'rV[R]_n := \row_k (if eps < eigval G k then a 0 k else 0).
  exists (b *m Q); first by apply/(aboveP _ _ diagQ) => k le_eps; rewrite -mulmxA QQ mulmx1 mxE ltNge le_eps.
  rewrite (comb_psi diagQ) -mulmxA QQ mulmx1 big_mkcond; apply: eq_bigr => k _.
  by rewrite mxE ltE; case: ifP; rewrite ?scale0r.
exists (c *m Q^T); rewrite (comb_psi diagQ) [RHS]big_mkcond; apply: eq_bigr => k _.
by rewrite ltE; case: ltP => // le_eps; rewrite zero // scale0r.
Qed.

(** So d_p at p = r_ε does not depend on the basis: it is the distance to these combinations. *)
Theorem dist_above (Q : 'M[R]_n) eps u : diagonalises Q G ->
  (forall c, (c <= above G eps)%MS -> dist B phi Q (epsrank G eps) u <= nrm B (u - comb phi c)) /\
  (exists2 c, (c <= above G eps)%MS & nrm B (u - comb phi c) = dist B phi Q (epsrank G eps) u).
Proof.
move=> diagQ; have [low [v /(in_span_above _ _ diagQ)[c in_c ->] attained]] := dist_is_distance diagQ (epsrank G eps) u.
by split=> [c' in_c'|]; [apply: low; apply/in_span_above => //; exists c' | exists c].
Qed.

(** F1 at r_ε: ‖φ·β − φ·c‖² ≤ ε ‖β‖² for a head c in the leading space. *)
Theorem tail_above eps beta : 0 <= eps ->
  exists2 c, (c <= above G eps)%MS & nrm2 B (comb phi beta - comb phi c) <= eps * sqn beta.
Proof.
move=> eps0; have [Q diagQ] := spectral_theorem (gram_sym B phi).
have /(in_span_above _ _ diagQ)[c in_c projE] := proj_in_span B phi Q (epsrank G eps) (comb phi beta).
by exists c => //; rewrite -projE; apply: tail_epsrank.
Qed.

(** F2 at r_ε: ‖φ·β − u*‖ ≥ e − √ε ‖β‖ for each e that is at most the distance of u* to φ·c for all c in
    the leading space. *)
Theorem loss_floor_above us eps e beta : 0 <= eps ->
  (forall c, (c <= above G eps)%MS -> e <= nrm B (us - comb phi c)) ->
  e - Num.sqrt eps * enorm beta <= nrm B (comb phi beta - us).
Proof.
move=> eps0 le_e; have [Q diagQ] := spectral_theorem (gram_sym B phi).
apply: le_trans (_ : dist B phi Q (epsrank G eps) us - Num.sqrt eps * enorm beta <= _).
  have [_ [c in_c <-]] := dist_above eps us diagQ; rewrite ler_add2r; exact: le_e.
by have := loss_floor_epsrank diagQ us beta eps0; rewrite le_maxl => /andP[].
Qed.

(** F2 at r_ε for k outputs. *)
Theorem loss_floor_outputs_above k (us : 'I_k -> V) eps e (W : 'M[R]_(n, k)) : 0 <= eps ->
  (forall D : 'M[R]_(n, k), (D^T <= above G eps)%MS -> e <= loss B phi D us) ->
  e - Num.sqrt eps * frob W <= loss B phi W us.
Proof.
move=> eps0 le_e; have [Q diagQ] := spectral_theorem (gram_sym B phi).
apply: le_trans (_ : dists B phi Q (epsrank G eps) us - Num.sqrt eps * frob W <= _); last first.
  by have := loss_floor_outputs_epsrank diagQ us W eps0; rewrite le_maxl => /andP[].
have [_ [v in_v <-]] := dists_is_distance diagQ (epsrank G eps) us; rewrite ler_add2r.
have cP l : exists c, (c <= above G eps)%MS && (v l == comb phi c).
  by have /(in_span_above _ _ diagQ)[c in_c vE] := in_v l; exists c; rewrite in_c vE eqxx.
pose c l := xchoose (cP l); pose D := (\matrix_l c l)^T.
have /le_e : (D^T <= above G eps)%MS.
  by apply/row_subP => l; rewrite trmxK rowK; have /andP[] := xchooseP (cP l).
move/le_trans; apply; rewrite /loss /loss2 ler_wsqrtr // le_eqVlt; apply/orP; left; apply/eqP.
apply: eq_bigr => l _; rewrite -nrm2N opprB; congr (nrm2 _ (_ - _)).
have /andP[_ /eqP ->] := xchooseP (cP l); rewrite /output; congr comb.
by apply/rowP => j; rewrite !mxE.
Qed.

End Above.

Section Canonical.
Variables (R : rcfType) (n p : nat).
Hypothesis le_pn : (p <= n)%N.

Lemma leading_orthonormal (Q : 'M[R]_n) : Q *m Q^T = 1%:M ->
  leading le_pn Q *m (leading le_pn Q)^T = 1%:M.
Proof.
move=> QQ; rewrite trmx_mxsub -mxsub_mul QQ; apply/matrixP => i j.
by rewrite !mxE -!val_eqE.
Qed.

(** F2: there are p orthonormal heads such that, whatever u*, and whatever e is at most its distance to
    the combinations of their p features, ‖φ·β − u*‖ ≥ e − √λ_{p+1} ‖β‖ for every β. *)
Theorem loss_floor_canonical (V : lmodType R) (B : preHilbert V) (phi : 'I_n -> V) :
  exists2 C : 'M[R]_(p, n), C *m C^T = 1%:M & forall us e beta,
    (forall c, e <= nrm B (us - comb phi (c *m C))) ->
    e - Num.sqrt (eigval (gram B phi) p) * enorm beta <= nrm B (comb phi beta - us).
Proof.
have [Q diagQ] := spectral_theorem (gram_sym B phi); have [QQ _] := diagQ.
exists (leading le_pn Q) => [|us e beta le_e]; first exact: leading_orthonormal.
apply: le_trans (loss_floor diagQ us p beta); rewrite ler_add2r.
have [_ [v [c ->] <-]] := dist_is_distance diagQ p us.
have := le_e (\row_i c 0 (widen_ord le_pn i)); rewrite -comb_outs.
rewrite [\sum_(k < n | _) _](_ : _ = comb (outs phi (leading le_pn Q)) (\row_i c 0 (widen_ord le_pn i))) //.
rewrite big_ord_narrow; apply: eq_bigr => i _; rewrite mxE; congr (_ *: comb phi _).
by apply/rowP => j; rewrite !mxE.
Qed.

(** F1: there are p orthonormal heads such that ‖φ·β − φ·(βCᵀC)‖² ≤ λ_{p+1} ‖β‖² for every β; βCᵀC is the
    projection of β on their span. *)
Theorem tail_canonical (V : lmodType R) (B : preHilbert V) (phi : 'I_n -> V) :
  exists2 C : 'M[R]_(p, n), C *m C^T = 1%:M & forall beta,
    nrm2 B (comb phi beta - comb phi (beta *m C^T *m C)) <= eigval (gram B phi) p * sqn beta.
Proof.
have [Q diagQ] := spectral_theorem (gram_sym B phi); have [QQ _] := diagQ.
exists (leading le_pn Q) => [|beta]; first exact: leading_orthonormal.
set c := beta *m Q^T; have -> : comb phi beta - comb phi (beta *m (leading le_pn Q)^T *m leading le_pn Q) =
    \sum_(k < n | ~~ (k < p)%N) c 0 k *: psi phi Q k.
  rewrite (comb_psi diagQ) (bigID (fun k : 'I_n => (k < p)%N)) /= -comb_outs.
  rewrite [X in X + _ - _](_ : _ = comb (outs phi (leading le_pn Q)) (beta *m (leading le_pn Q)^T)).
    by rewrite addrAC subrr add0r.
  rewrite big_ord_narrow; apply: eq_bigr => i _; congr (_ *: comb phi _).
    by rewrite !mxE; apply: eq_bigr => j _; rewrite !mxE.
  by apply/rowP => j; rewrite !mxE.
rewrite (nrm2_sum_psi diagQ (fun k : 'I_n => ~~ (k < p)%N) (c 0)).
rewrite -(sqn_orthogonal beta QQ) sqnE mulr_sumr big_mkcond; apply: ler_sum => k _.
have symG := gram_sym B phi; rewrite -leqNgt.
case: leqP => le_pk; last by rewrite mulr_ge0 ?sqr_ge0 ?lam_ge0.
by rewrite ler_wpmul2r ?sqr_ge0 // eigval_mono // le_pk ltn_ord.
Qed.

(** R: there are p orthonormal heads such that, if combinations of their features with ‖c‖ ≤ b leave a
    root loss of m at least, (m − loss)/b ≤ √λ_{p+1} for every head β with ‖β‖ ≤ b. *)
Theorem rank_used_canonical (V : lmodType R) (B : preHilbert V) (phi : 'I_n -> V) :
  exists2 C : 'M[R]_(p, n), C *m C^T = 1%:M & forall us b m beta,
    (forall c, enorm c <= b -> m <= nrm B (comb phi (c *m C) - us)) -> enorm beta <= b ->
    m - nrm B (comb phi beta - us) <= sigma B phi p * b.
Proof.
have [C CC tail] := tail_canonical B phi; exists C => // us b m beta all_m le_b.
have lam0 : 0 <= eigval (gram B phi) p by apply: lam_ge0.
have short : enorm (beta *m C^T) <= enorm beta.
  have := sqn_ge0 (beta - beta *m C^T *m C); rewrite /enorm => h; apply: ler_wsqrtr; move: h.
  rewrite /sqn !linearB /= !mulmxBl !trmx_mul trmxK !mulmxA.
  rewrite -[beta *m C^T *m C *m C^T]mulmxA CC mulmx1 subrr subr0.
  by rewrite [in X in X -> _]mxE [(- _ : 'M_1) 0 0]mxE subr_ge0.
rewrite ler_subl_addl; apply: le_trans (all_m (beta *m C^T) (le_trans short le_b)) _.
rewrite -[X in nrm B X <= _](subrKA (comb phi beta)) addrC.
apply: le_trans (nrmD B _ _) _; rewrite ler_add2l -nrmN opprB.
apply: (@le_trans _ _ (sigma B phi p * enorm beta)); last by rewrite ler_wpmul2l // sqrtr_ge0.
exact: sqrt_bound.
Qed.

(** F2 for k outputs: there are p orthonormal heads such that, whatever u*, and whatever e is at most the
    loss of all outputs on their features, the loss is at least e − √λ_{p+1} ‖W‖_F for every W. *)
Theorem loss_floor_outputs_canonical (V : lmodType R) (B : preHilbert V) (phi : 'I_n -> V) k :
  exists2 C : 'M[R]_(p, n), C *m C^T = 1%:M & forall (us : 'I_k -> V) e (W : 'M[R]_(n, k)),
    (forall D : 'M[R]_(p, k), e <= loss B phi (C^T *m D) us) ->
    e - Num.sqrt (eigval (gram B phi) p) * frob W <= loss B phi W us.
Proof.
have [Q diagQ] := spectral_theorem (gram_sym B phi); have [QQ _] := diagQ.
exists (leading le_pn Q) => [|us e W le_e]; first exact: leading_orthonormal.
apply: le_trans (loss_floor_outputs diagQ us p W); rewrite ler_add2r.
have [_ [v in_v <-]] := dists_is_distance diagQ p us.
have cP l : exists c : 'rV[R]_n, v l == \sum_(i < n | (i < p)%N) c 0 i *: psi phi Q i.
  by have [c ->] := in_v l; exists c.
pose D : 'M[R]_(p, k) := \matrix_(i, l) xchoose (cP l) 0 (widen_ord le_pn i).
apply: le_trans (le_e D) _; rewrite /loss /loss2 ler_wsqrtr // le_eqVlt; apply/orP; left; apply/eqP.
apply: eq_bigr => l _; rewrite -nrm2N opprB; congr (nrm2 _ (_ - _)).
have /eqP -> := xchooseP (cP l); rewrite /output big_ord_narrow.
have -> : (col l ((leading le_pn Q)^T *m D))^T = (col l D)^T *m leading le_pn Q.
  by apply/rowP => j; rewrite !mxE; apply: eq_bigr => i _; rewrite !mxE mulrC.
rewrite -comb_outs; apply: eq_bigr => i _; rewrite !mxE; congr (_ *: comb phi _).
by apply/rowP => j; rewrite !mxE.
Qed.

(** L2: there are p orthonormal heads such that, for every L-Lipschitz loss and every W, each lower
    bound m of the loss over heads ‖C'‖_F ≤ ‖W‖_F on their p features gives
    mean ℓ(φW) ≥ m − L √λ_{p+1} ‖W‖_F. *)
Theorem lipschitz_floor_canonical N k (w : 'rV[R]_N) (w_ge0 : forall i, 0 <= w 0 i)
    (Phi : 'M[R]_(N, n)) : \sum_i w 0 i = 1 ->
  exists2 C : 'M[R]_(p, n), C *m C^T = 1%:M &
    forall (ell : 'I_N -> 'rV[R]_k -> R) L (W : 'M[R]_(n, k)) m, 0 <= L -> lipschitz ell L ->
    (forall D : 'M[R]_(p, k), frob D <= frob W -> m <= mean_loss w ell (Phi *m C^T *m D)) ->
    m - L * Num.sqrt (eigval (gram (data_form w_ge0) (fun j => col j Phi)) p) * frob W
      <= mean_loss w ell (Phi *m W).
Proof.
move=> w_sum1; have [Q diagQ] := spectral_theorem (gram_sym (data_form w_ge0) (fun j => col j Phi)).
have [QQ _] := diagQ; exists (leading le_pn Q) => [|ell L W m L0 lip lower].
  exact: leading_orthonormal.
exact: (lipschitz_floor w_sum1 diagQ L0 lip lower).
Qed.

End Canonical.
