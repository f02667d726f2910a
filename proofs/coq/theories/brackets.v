(** * Brackets of the ε-rank by signed squares

    For vectors u_1, …, u_K and signs ±:
    - if  G − εI + Σ_{−} u_k u_kᵀ  is positive definite, r_ε(G) is at least n less the number of −;
    - if  G − εI − Σ_{+} u_k u_kᵀ  is negative semidefinite, r_ε(G) is at most the number of +.
    - [signed s u]          the list u with the signs of s (true for +);
    - [signed_products s L] the matrix Σ_k ±L_ik L_jk;
    - [residual m A P]      A − 2^m P. *)

From Coq Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp.zify Require Import ssrZ.
From EpsRank Require Import form spectral zmatrix inertia minors measurement check_rank.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** Brackets of the ε-rank *)

Section Brackets.
Variables (R : rcfType) (n K : nat) (G : 'M[R]_n) (eps : R) (U : 'M[R]_(n, K)).
Hypothesis symG : symmetric G.
Implicit Types (x : 'rV[R]_n) (A : {set 'I_K}).

Let chosen A : 'M[R]_(n, #|A|) := colsub (fun i : 'I_#|A| => enum_val i) U.

Lemma chosen0 A x k : x *m chosen A = 0 -> k \in A -> (x *m U) 0 k = 0.
Proof.
move=> xA kA; have := congr1 (fun y : 'rV_ _ => y 0 (enum_rank_in kA k)) xA.
by rewrite /chosen mulmx_colsub !mxE enum_rankK_in.
Qed.

Lemma rank_kernel A : (n - #|A| <= \rank (kermx (chosen A)))%N.
Proof. by rewrite mxrank_ker leq_sub2l // rank_leq_col. Qed.

(** If x(G − εI)xᵀ + Σ_{k ∈ A} ⟨x, u_k⟩² > 0 for all x ≠ 0, then r_ε(G) ≥ n − |A|. *)
Theorem bracket_below A :
  (forall x, x != 0 -> 0 < qf (G - eps%:M) x + \sum_(k in A) (x *m U) 0 k ^+ 2) ->
  (n - #|A| <= epsrank G eps)%N.
Proof.
move=> pos; apply: leq_trans (rank_kernel A) _; apply: epsrank_max => // x /sub_kermxP xA x0.
have := pos x x0; rewrite big1 => [|k kA]; last by rewrite (chosen0 xA kA) expr0n.
by rewrite addr0 qfB qf_scalar subr_gt0.
Qed.

(** If x(G − εI)xᵀ ≤ Σ_{k ∈ A} ⟨x, u_k⟩² for all x, then r_ε(G) ≤ |A|. *)
Theorem bracket_above A :
  (forall x, qf (G - eps%:M) x <= \sum_(k in A) (x *m U) 0 k ^+ 2) -> (epsrank G eps <= #|A|)%N.
Proof.
move=> neg; have le : (epsrank G eps + \rank (kermx (chosen A)) <= n)%N.
  apply: epsrank_min => // x /sub_kermxP xA; have := neg x.
  rewrite big1 => [|k kA]; last by rewrite (chosen0 xA kA) expr0n.
  by rewrite qfB qf_scalar subr_le0.
have := leq_add (leqnn (epsrank G eps)) (rank_kernel A) => /leq_trans/(_ le).
case: (leqP #|A| n) => [le_An|/ltnW le_nA _]; last first.
  by apply: leq_trans le_nA; apply: epsrank_leq.
by rewrite addnBA // leq_subLR leq_add2r.
Qed.

End Brackets.

(** ** Signed sums of squares on lists *)

Definition with_sign (b : bool) (z : Z) : Z := if b then z else Z.opp z.

Definition signed (s : seq bool) (u : seq Z) : seq Z := [seq with_sign p.1 p.2 | p <- zip s u].

(** Σ_k ±L_ik L_jk; only the lower half is computed. *)
Definition signed_products (s : seq bool) (L : seq (seq Z)) : seq (seq Z) :=
  mirror (size L)
    (mkseq (fun i => map (dotz (signed s (nth [::] L i))) (take i.+1 L)) (size L)).

Definition residual (n m : nat) (A P : seq (seq Z)) : seq (seq Z) :=
  mkseq (fun i => mkseq (fun j =>
    Z.sub (entry A i j) (Z.shiftl (entry P i j) (Z.of_nat m))) n) n.

(** 2|E_ii| − Σ_j |E_ij| where E_ii is positive, and so by how much row i is dominant. *)
Definition margin (b : bool) (E : seq (seq Z)) (i : nat) : Z :=
  let row := nth [::] E i in
  let d := with_sign b (nth Z0 row i) in
  Z.sub (Z.add d (Z.abs d)) (abssum row).

Record near_certificate := NearCertificate {
  bits : nat;
  exponent : nat;
  below_signs : seq bool;
  below_rows : seq (seq Z);
  above_signs : seq bool;
  above_rows : seq (seq Z)
}.

(** The two brackets around r for a matrix A that a multiple of G − εI is near to, within K/den. *)
Definition check_brackets (A : seq (seq Z)) (K : Z) (den : positive) (cert : near_certificate)
    (r : nat) : bool :=
  let n := size A in
  let low := residual n (exponent cert) A (signed_products (below_signs cert) (below_rows cert)) in
  let high := residual n (exponent cert) A (signed_products (above_signs cert) (above_rows cert)) in
  [&& symmetric_rows A, size (below_rows cert) == n, size (above_rows cert) == n,
      (r + count negb (below_signs cert) <= n)%N, (count id (above_signs cert) <= r)%N,
      all (fun i => Z.ltb K (Z.mul (margin true low i) (Zpos den))) (iota 0 n) &
      all (fun i => Z.leb K (Z.mul (margin false high i) (Zpos den))) (iota 0 n)].

Section Lists.
Variable R : rcfType.
Local Notation zr := (zr R).

Definition factor_mx n (s : seq bool) (L : seq (seq Z)) : 'M[R]_(n, size s) :=
  \matrix_(i, k) zr (entry L i k).

Definition sign_row (s : seq bool) : 'rV[R]_(size s) := \row_k (if nth false s k then 1 else - 1).

Lemma zr_dotz_short u v K : (size u <= K)%N ->
  zr (dotz u v) = \sum_(k < K) zr (nth Z0 u k) * zr (nth Z0 v k).
Proof.
elim: u v K => [|x u IHu] [|y v] K le_uK /=.
- by rewrite big1 // => i _; rewrite !nth_nil mulr0.
- by rewrite big1 // => i _; rewrite nth_nil mul0r.
- by rewrite big1 // => i _; rewrite nth_nil mulr0.
by case: K le_uK => // K le_uK; rewrite zrD zrM big_ord_recl (IHu _ K).
Qed.

Lemma nth_signed s u k : (k < size s)%N ->
  zr (nth Z0 (signed s u) k) = (if nth false s k then 1 else - 1) * zr (nth Z0 u k).
Proof.
move=> lt_k; have [lt_ku|le_uk] := ltnP k (size u); last first.
  rewrite [nth Z0 u k]nth_default // (_ : zr Z0 = 0) // mulr0 nth_default //.
  by rewrite size_map size_zip geq_min le_uk orbT.
rewrite (nth_map (false, Z0)) ?size_zip ?leq_min ?lt_k // /with_sign nth_zip_cond size_zip.
rewrite leq_min lt_k lt_ku /=; case: (nth false s k); first by rewrite mul1r.
by rewrite zrN mulN1r.
Qed.

Lemma zr_signed s u v :
  zr (dotz (signed s u) v) =
  \sum_(k < size s) (if nth false s k then 1 else - 1) * (zr (nth Z0 u k) * zr (nth Z0 v k)).
Proof.
rewrite (@zr_dotz_short _ _ (size s)) ?size_map ?size_zip ?geq_minl //.
by apply: eq_bigr => k _; rewrite nth_signed // mulrA.
Qed.

Lemma entry_signed n s L i j : size L = n -> (i < n)%N -> (j < n)%N ->
  zr (entry (signed_products s L) i j) =
  \sum_(k < size s) (if nth false s k then 1 else - 1) * (zr (entry L i k) * zr (entry L j k)).
Proof.
move=> Ln i_lt j_lt; rewrite /signed_products Ln entry_mkseq //.
have half a b : (b <= a)%N -> (a < n)%N -> zr (entry (mkseq (fun i =>
    map (dotz (signed s (nth [::] L i))) (take i.+1 L)) n) a b) =
    \sum_(k < size s) (if nth false s k then 1 else - 1) * (zr (entry L a k) * zr (entry L b k)).
  move=> ba a_lt; rewrite {1}/entry nth_mkseq // (nth_map [::]); last by rewrite size_takel ?Ln.
  by rewrite nth_take // zr_signed.
case: ifP => [|/negbT]; first by move=> ji; apply: half.
rewrite -ltnNge => /ltnW ij; rewrite half //.
by apply: eq_bigr => k _; rewrite [X in _ * X]mulrC.
Qed.

Lemma entry_residual n m A P i j : (i < n)%N -> (j < n)%N ->
  zr (entry (residual n m A P) i j) = zr (entry A i j) - zr (entry P i j) * 2%:R ^+ m.
Proof. by move=> i_lt j_lt; rewrite entry_mkseq // zrB zr_shiftl. Qed.

(** x (A − E) xᵀ = 2^m Σ_k ±⟨x, u_k⟩² for the residual E. *)
Lemma qf_residual n m A s L (x : 'rV[R]_n) : size L = n ->
  qf (mx R n A) x = 2%:R ^+ m * (\sum_k sign_row s 0 k * (x *m factor_mx n s L) 0 k ^+ 2)
    + qf (mx R n (residual n m A (signed_products s L))) x.
Proof.
move=> Ln; rewrite -qf_diag -qf_congr -qfZ -qfD; congr qf; apply/matrixP => i j.
rewrite [RHS]mxE [X in _ = _ + X]mxE [X in _ = X + _]mxE mxE entry_residual //.
rewrite (entry_signed s Ln) // [X in _ = _ * X + _]mxE.
set t := \sum_k _; set t' := \sum_k _; have -> : t' = t.
  by apply: eq_bigr => k _; rewrite mul_mx_diag !mxE -mulrA mulrCA.
by rewrite mulrC addrC subrK.
Qed.

Lemma residual_sym n m A s L : size L = n -> size A = n -> symmetric_rows A ->
  symmetric (mx R n (residual n m A (signed_products s L))).
Proof.
move=> Ln An symA; apply/matrixP => i j; rewrite ![in LHS]mxE ![in RHS]mxE !entry_residual //.
rewrite (symmetric_rowsP symA) ?An // !(entry_signed s Ln) //; congr (_ - _ * _).
by apply: eq_bigr => k _; rewrite [X in _ * X]mulrC.
Qed.

Lemma margin_le n b m A P (i : 'I_n) (E := residual n m A P) :
  zr (margin b E i) <= (if b then mx R n E i i else - mx R n E i i) - off (mx R n E) i.
Proof.
rewrite /margin; set row := nth [::] E i; have rowE k : zr (nth Z0 row k) = zr (entry E i k) by [].
have sz : size row = n by rewrite /row nth_mkseq // size_mkseq.
rewrite zrB zrD zr_abs (zr_abssum R sz) (bigD1 i) //= mxE.
set d := with_sign b _; have -> : `|zr (nth Z0 row i)| = `|zr d|.
  by rewrite /d /with_sign; case: (b); rewrite // zrN normrN.
have -> : (if b then zr (entry E i i) else - zr (entry E i i)) = zr d.
  by rewrite -rowE /d /with_sign; case: (b); rewrite // zrN.
rewrite opprD addrA addrK ler_add2l ler_opp2 le_eqVlt; apply/orP; left; apply/eqP.
by apply: eq_bigr => k _; rewrite mxE.
Qed.

Lemma count_signs_set s (P : pred bool) :
  #|[set k : 'I_(size s) | P (nth false s k)]| = count P s.
Proof.
rewrite -(@count_ord (size s) (fun k => P (nth false s k))).
by rewrite -[in RHS](mkseq_nth false s) count_map.
Qed.

End Lists.
