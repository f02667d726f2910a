(** * Orthogonal matrices, and diagonalising a real symmetric one

    - [Q *m Q^T = 1%:M] Q is orthogonal: its rows are orthonormal;
    - [diag_mx d]       the diagonal matrix with the entries of the row d;
    - [reflection w]    the reflection 1 − 2 wᵀw/|w|² in the hyperplane orthogonal to the row w.

    The eigenvalue comes from the fundamental theorem of algebra: R[i] is algebraically closed
    for a real closed field R. Induction on the size splits off one eigenvector at a time. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import complex.
From EpsRank Require Import form.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section RealEigenvector.
Variable R : rcfType.
Local Notation C := R[i].

(** x yᵀ = y xᵀ. *)
Lemma dot_rowC n (x y : 'rV[R]_n) : (x *m y^T) 0 0 = (y *m x^T) 0 0.
Proof. by rewrite -[y *m _]trmxK trmx_mul trmxK [RHS]mxE. Qed.

(** For a symmetric G, x G yᵀ = y G xᵀ. *)
Lemma sym_dotC n (G : 'M[R]_n) (x y : 'rV[R]_n) :
  G^T = G -> (x *m G *m y^T) 0 0 = (y *m G *m x^T) 0 0.
Proof. by move=> symG; rewrite dot_rowC trmx_mul symG mulmxA. Qed.

(** If (x + iy) G = (s + it)(x + iy) with x, y not both 0, then t = 0. *)
Lemma sym_eigenvalue_real n (G : 'M[R]_n) (x y : 'rV[R]_n) (s t : R) :
  G^T = G -> x *m G = s *: x - t *: y -> y *m G = s *: y + t *: x ->
  (x != 0) || (y != 0) -> t = 0.
Proof.
move=> symG xG yG xy0; have := sym_dotC x y symG.
rewrite xG yG mulmxBl mulmxDl -!scalemxAl.
rewrite mxE [RHS]mxE [X in _ + X]mxE ![(_ *: _ : 'M_1) _ _]mxE (dot_rowC y x).
rewrite -!/(sqn _) => /eqP; rewrite -subr_eq0 (_ : _ - _ = - (t * (sqn x + sqn y))); last first.
  by rewrite opprD addrACA subrr add0r -opprD -mulrDr [sqn y + _]addrC.
rewrite oppr_eq0 mulf_eq0 paddr_eq0 ?sqn_ge0 // !sqn_eq0.
by case/orP => [/eqP //|/andP[x0 y0]]; rewrite x0 y0 in xy0.
Qed.

(** A real symmetric matrix of positive size has a real eigenvector. *)
Lemma sym_eigenvector n (G : 'M[R]_n.+1) :
  G^T = G -> exists s, exists2 v : 'rV[R]_n.+1, v != 0 & v *m G = s *: v.
Proof.
move=> symG; pose GC : 'M[C]_n.+1 := map_mx (real_complex R) G.
have /closed_rootP[[s t]] : size (char_poly GC) != 1%N by rewrite size_char_poly.
rewrite -eigenvalue_root_char => /eigenvalueP[v vG v0].
pose x := map_mx (@complex.Re R) v; pose y := map_mx (@complex.Im R) v.
have ReM (z : C) k : complex.Re (z * k%:C%C) = complex.Re z * k by case: z => a b; simpc.
have ImM (z : C) k : complex.Im (z * k%:C%C) = complex.Im z * k by case: z => a b; simpc.
have xG : x *m G = s *: x - t *: y.
  apply/rowP => j; move/rowP/(_ j)/(congr1 (@complex.Re R)): vG; rewrite !mxE.
  rewrite raddf_sum /= (eq_bigr (fun i => x 0 i * G i j)) => [->|i _]; last by rewrite !mxE ReM.
  by case: (v 0 j) => a b; simpc.
have yG : y *m G = s *: y + t *: x.
  apply/rowP => j; move/rowP/(_ j)/(congr1 (@complex.Im R)): vG; rewrite !mxE.
  rewrite raddf_sum /= (eq_bigr (fun i => y 0 i * G i j)) => [->|i _]; last by rewrite !mxE ImM.
  by case: (v 0 j) => a b; simpc.
have xy0 : (x != 0) || (y != 0).
  rewrite -negb_and; apply: contra v0 => /andP[/eqP x0 /eqP y0]; apply/eqP/rowP => j.
  have:= congr1 (fun z : 'rV[R]_n.+1 => z 0 j) x0; have:= congr1 (fun z : 'rV[R]_n.+1 => z 0 j) y0.
  by rewrite !mxE; case: (v 0 j) => a b /= -> ->.
have t0 := sym_eigenvalue_real symG xG yG xy0; exists s.
rewrite t0 !scale0r ?subr0 ?addr0 in xG yG.
by case/orP: xy0 => nz; [exists x | exists y].
Qed.

End RealEigenvector.

Section Reflections.
Variable R : rcfType.

(** The reflection 1 − 2 wᵀw/|w|² in the hyperplane orthogonal to w. *)
Definition reflection n (w : 'rV[R]_n) : 'M[R]_n := 1%:M - (2%:R / sqn w) *: (w^T *m w).

(** A reflection is symmetric. *)
Lemma reflection_sym n (w : 'rV[R]_n) : (reflection w)^T = reflection w.
Proof. by rewrite linearB /= linearZ /= trmx1 trmx_mul trmxK. Qed.

(** The image of u is u − 2 (u wᵀ / |w|²) w. *)
Lemma mulmx_reflection n (u w : 'rV[R]_n) :
  u *m reflection w = u - (2%:R / sqn w * (u *m w^T) 0 0) *: w.
Proof.
by rewrite mulmxBr mulmx1 -scalemxAr mulmxA {1}[u *m w^T]mx11_scalar mul_scalar_mx scalerA.
Qed.

(** A reflection is orthogonal. *)
Lemma reflection_orth n (w : 'rV[R]_n) : w != 0 -> reflection w *m (reflection w)^T = 1%:M.
Proof.
move=> w0; have s0 : sqn w != 0 by rewrite sqn_eq0.
have ww : (w^T *m w) *m (w^T *m w) = sqn w *: (w^T *m w).
  rewrite mulmxA -[w^T *m w *m w^T]mulmxA [w *m w^T]mx11_scalar -/(sqn w) mul_mx_scalar.
  by rewrite scalemxAl.
rewrite reflection_sym /reflection; set A := w^T *m w in ww *.
rewrite mulmxBl mul1mx -scalemxAl mulmxBr mulmx1 -scalemxAr ww scalerA divfK //.
by rewrite scaler_nat mulr2n opprD addrA subrr sub0r scalerN opprK subrK.
Qed.

(** Every unit row is the first row of an orthogonal matrix. *)
Lemma orth_first_row n (v : 'rV[R]_n.+1) :
  sqn v = 1 -> exists2 H : 'M[R]_n.+1, H *m H^T = 1%:M & row 0 H = v.
Proof.
move=> v1; pose e : 'rV[R]_n.+1 := delta_mx 0 0.
have [->|ve] := eqVneq v e.
  by exists 1%:M; rewrite ?trmx1 ?mulmx1 // rowE mulmx1.
have w0 : v - e != 0 by rewrite subr_eq0.
exists (reflection (v - e)); first exact: reflection_orth.
rewrite rowE mulmx_reflection -/e.
have e1 : (e *m e^T) 0 0 = 1 by rewrite trmx_delta mul_delta_mx mxE !eqxx.
suff -> : 2%:R / sqn (v - e) * (e *m (v - e)^T) 0 0 = -1 by rewrite scaleN1r opprK addrC subrK.
have mxB (A B : 'M[R]_1) : (A - B) 0 0 = A 0 0 - B 0 0 by rewrite mxE [in LHS]mxE.
have trB : (v - e)^T = v^T - e^T by rewrite linearB.
have we : (e *m (v - e)^T) 0 0 = (e *m v^T) 0 0 - 1 by rewrite trB mulmxBr mxB e1.
have ws : sqn (v - e) = 2%:R * (1 - (e *m v^T) 0 0).
  by rewrite /sqn mulmxBl mxB we trB mulmxBr mxB -/(sqn v) v1 (dot_rowC v e) opprB mulr_natl mulr2n.
have : sqn (v - e) != 0 by rewrite sqn_eq0.
by rewrite we ws => s0; rewrite -[_ - 1]opprB mulrN mulrAC divff.
Qed.

End Reflections.

Section Diagonalisation.
Variable R : rcfType.

(** For an orthogonal Q also Qᵀ Q = 1. *)
Lemma orth_tr n (Q : 'M[R]_n) : Q *m Q^T = 1%:M -> Q^T *m Q = 1%:M.
Proof. exact: mulmx1C. Qed.

(** A product of orthogonal matrices is orthogonal. *)
Lemma orthM n (P Q : 'M[R]_n) :
  P *m P^T = 1%:M -> Q *m Q^T = 1%:M -> (P *m Q) *m (P *m Q)^T = 1%:M.
Proof. by move=> Pu Qu; rewrite trmx_mul mulmxA -[P *m Q *m _]mulmxA Qu mulmx1. Qed.

(** A symmetric matrix with first row (s, 0, …, 0) is diag(s, B) with B symmetric. *)
Lemma sym_split n (A : 'M[R]_(1 + n)) s :
  A^T = A -> row 0 A = s *: delta_mx 0 0 ->
  exists2 B : 'M[R]_n, B^T = B & A = block_mx s%:M 0 0 B.
Proof.
move=> symA A0; exists (drsubmx A); first by rewrite trmx_drsub symA.
have l0 (k : 'I_1) : lshift n k = 0 by rewrite ord1; apply: val_inj.
have ur : ursubmx A = 0.
  apply/rowP => j; move/rowP/(_ (rshift 1 j)): A0; rewrite !mxE l0 => ->.
  by rewrite eqxx /= mulr0.
have dl : dlsubmx A = 0 by rewrite -[dlsubmx A]trmxK trmx_dlsub symA ur trmx0.
rewrite -[LHS]submxK ur dl; congr block_mx.
apply/rowP => j; move/rowP/(_ 0): A0; rewrite !mxE !l0 (ord1 j) => ->.
by rewrite !eqxx mulr1.
Qed.

(** A real symmetric matrix is diagonal in some orthonormal basis. *)
Lemma sym_diagonal n (G : 'M[R]_n) :
  G^T = G -> exists (Q : 'M[R]_n) (d : 'rV[R]_n), Q *m Q^T = 1%:M /\ G = Q^T *m diag_mx d *m Q.
Proof.
elim: n G => [|n IHn] G symG.
  by exists 1%:M, 0; split; [rewrite trmx1 mulmx1 | apply/matrixP; case].
have [s [v0 v0_neq0 v0G]] := sym_eigenvector symG.
have nv : Num.sqrt (sqn v0) != 0 by rewrite gt_eqF // sqrtr_gt0 sqn_gt0.
pose v := (Num.sqrt (sqn v0))^-1 *: v0.
have v1 : sqn v = 1 by rewrite sqnZ -{2}[sqn v0]sqr_sqrtr ?sqn_ge0 // exprVn mulVf ?expf_neq0.
have vG : v *m G = s *: v by rewrite -scalemxAl v0G !scalerA mulrC.
have [H Hu Hv] := orth_first_row v1.
have [||B symB AE] := @sym_split n (H *m G *m H^T) s.
- by rewrite !trmx_mul trmxK symG mulmxA.
- by rewrite !row_mul Hv vG -scalemxAl -Hv -row_mul Hu rowE mulmx1.
have [Q [d [Qu QB]]] := IHn B symB.
have ds : diag_mx (s%:M : 'rV[R]_1) = s%:M.
  by apply/matrixP => i j; rewrite !mxE !ord1.
pose P : 'M[R]_(1 + n) := block_mx 1%:M 0 0 Q; pose D : 'rV[R]_(1 + n) := row_mx s%:M d.
have PT : P^T = block_mx 1%:M 0 0 Q^T by rewrite tr_block_mx !trmx0 trmx1.
have Pu : P *m P^T = 1%:M.
  by rewrite PT mulmx_block !mulmx0 !mul0mx !mul1mx !addr0 !add0r Qu -scalar_mx_block.
have AD : H *m G *m H^T = P^T *m diag_mx D *m P.
  rewrite AE PT diag_mx_row ds !mulmx_block.
  by rewrite !mulmx0 !mul0mx !mul1mx !mulmx1 !addr0 !add0r mul0mx -QB.
exists (P *m H), D; split; first exact: orthM.
rewrite trmx_mul !mulmxA -[H^T *m _ *m _]mulmxA -[H^T *m _ *m _]mulmxA -AD.
by rewrite !mulmxA orth_tr // mul1mx -mulmxA orth_tr // mulmx1.
Qed.

End Diagonalisation.
