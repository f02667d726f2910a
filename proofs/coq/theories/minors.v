(** * Cramer's rule and maximal minors

    - [swap_row M i r]   the square matrix M with row i replaced by the row vector r;
    - [rowsub T A]       A_T, the rows T(0), T(1), … of A, so [\det (rowsub T A)] is a minor;
    - [replace T j i]    the selection T with its j-th row exchanged for row i. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Minors.
Variable R : rcfType.

Definition swap_row m (M : 'M[R]_m) (i : 'I_m) (r : 'rV[R]_m) : 'M[R]_m :=
  \matrix_(k, j) if k == i then r 0 j else M k j.

Definition replace m n (T : 'I_m -> 'I_n) (j : 'I_m) (i : 'I_n) : 'I_m -> 'I_n :=
  fun k => if k == j then i else T k.

(** Cramer's rule: the solution c of c M = r is a quotient of determinants, entry by entry. *)
Theorem cramer_rule m (M : 'M[R]_m) (r : 'rV[R]_m) i :
  \det M != 0 -> (r *m invmx M) 0 i = \det (swap_row M i r) / \det M.
Proof.
move=> dM; rewrite /invmx unitmxE unitfE dM -scalemxAr mxE mulrC; congr (_ / _).
rewrite (expand_det_row _ i) mxE; apply: eq_bigr => j _; rewrite !mxE eqxx; congr (_ * _).
rewrite /cofactor; congr (_ * \det _); apply/matrixP => a b.
by rewrite !mxE eq_sym (negPf (neq_lift _ _)).
Qed.

(** If replacing a row of M by r multiplies the determinant by at most t, in modulus and
    whichever row it is, then r is a combination of the rows of M with coefficients at most t. *)
Theorem cramer_bound m (M : 'M[R]_m) (r : 'rV[R]_m) t :
  \det M != 0 -> (forall i, `|\det (swap_row M i r)| <= t * `|\det M|) ->
  forall i, `|(r *m invmx M) 0 i| <= t.
Proof.
by move=> dM le i; rewrite cramer_rule // normrM normfV ler_pdivr_mulr ?normr_gt0.
Qed.

(** If no exchange of one row multiplies the minor by more than t, the entries of A A_T⁻¹ are
    at most t in modulus. *)
Theorem exchange_bound m n (A : 'M[R]_(n, m)) (T : 'I_m -> 'I_n) t :
  \det (rowsub T A) != 0 ->
  (forall j i, `|\det (rowsub (replace T j i) A)| <= t * `|\det (rowsub T A)|) ->
  forall i j, `|(A *m invmx (rowsub T A)) i j| <= t.
Proof.
move=> dT le i j.
have -> : (A *m invmx (rowsub T A)) i j = (row i A *m invmx (rowsub T A)) 0 j.
  by rewrite -row_mul [RHS]mxE.
apply: cramer_bound => // k.
rewrite (_ : swap_row _ k _ = rowsub (replace T k i) A) //.
by apply/matrixP => a b; rewrite !mxE /replace; case: ifP.
Qed.

(** A minor that is not zero has no row twice. *)
Lemma minor_inj m n (A : 'M[R]_(n, m)) (T : 'I_m -> 'I_n) :
  \det (rowsub T A) != 0 -> injective T.
Proof.
move=> d0 a b Tab; apply/eqP; apply: contraR d0 => nab; apply/eqP.
by apply: (determinant_alternate nab) => k; rewrite !mxE Tab.
Qed.

(** A matrix of full column rank has an invertible square block of rows A_T whose determinant is
    the largest in modulus, and then no entry of A A_T⁻¹ exceeds 1 in modulus. *)
Theorem maximal_minor m n (A : 'M[R]_(n, m)) :
  \rank A = m ->
  exists T : 'I_m -> 'I_n,
    [/\ injective T,
        \det (rowsub T A) != 0,
        forall T' : 'I_m -> 'I_n, `|\det (rowsub T' A)| <= `|\det (rowsub T A)| &
        forall i j, `|(A *m invmx (rowsub T A)) i j| <= 1].
Proof.
move=> rA; have fA : row_full A by rewrite /row_full rA.
pose d (T : {ffun 'I_m -> 'I_n}) := `|\det (rowsub T A)|.
case: (@arg_maxP _ _ _ (fullrankfun fA) xpredT d isT) => T _ maxT.
have d0 : \det (rowsub T A) != 0.
  have : 0 < d (fullrankfun fA).
    by rewrite normr_gt0 -unitfE -unitmxE -row_full_unit fullrowsub_full.
  by move=> h; rewrite -normr_gt0; apply: lt_le_trans h (maxT _ isT).
have le T' : `|\det (rowsub T' A)| <= `|\det (rowsub T A)|.
  have := maxT (finfun T') isT; rewrite /d (_ : rowsub (finfun T') A = rowsub T' A) //.
  exact: mxsub_ffunl.
exists T; split=> //; first exact: minor_inj d0.
by apply: exchange_bound => // j i; rewrite mul1r.
Qed.

(** (Σ_j a_j b_j)² ≤ Σ_j a_j² Σ_j b_j². *)
Lemma cauchy_sum m (a b : 'I_m -> R) :
  (\sum_j a j * b j) ^+ 2 <= (\sum_j a j ^+ 2) * (\sum_j b j ^+ 2).
Proof.
have w0 (i : 'I_m) : 0 <= (const_mx 1 : 'rV[R]_m) 0 i by rewrite mxE ler01.
have E (u v : 'I_m -> R) : dot (data_form w0) (\col_i u i) (\col_i v i) = \sum_j u j * v j.
  by apply: eq_bigr => i _; rewrite !mxE mul1r.
have := cauchy_schwarz2 (data_form w0) (\col_i a i) (\col_i b i).
by rewrite /nrm2 !E; under [\sum_j a j * a j]eq_bigr do rewrite -expr2;
   under [\sum_j b j * b j]eq_bigr do rewrite -expr2.
Qed.

End Minors.
