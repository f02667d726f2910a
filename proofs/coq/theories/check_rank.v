(** * A verified checker of ε-ranks

    [check_rank d eps cert r] is a computation on integers; if it ends in [true], the ε-rank of the
    Gram matrix of the measurement d is r. A certificate is untrusted: whoever found it, and how,
    does not matter.
    - [basis]     S, nearly the eigenvectors: S (G − εI) Sᵀ must be strictly diagonally dominant;
    - [cut]       so many low bits of the features are left out of the computation, and
    - [drop]      so many low bits of the multiple of G − εI: what that may change is bounded, and
                  the dominance must leave room for it;
    - [sheared]   the integer matrix M' ≈ 2^(−drop) · Q·D·4^a·(G − εI) for ε = P/Q. *)

From Coq Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From mathcomp.zify Require Import ssrZ.
From EpsRank Require Import form spectral zmatrix inertia measurement.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Record rank_certificate := RankCertificate {
  cut : nat;
  drop : nat;
  basis : seq (seq Z)
}.

(** ** Counting the signs of a dominant congruence *)

(** S M Sᵀ for a symmetric matrix M. *)
Definition congruent (S M : seq (seq Z)) : seq (seq Z) :=
  [seq map (fun v => dotz v a) S | a <- [seq map (dotz u) M | u <- S]].

(** 2^s (|T_ii| − Σ_{j≠i} |T_ij|) > κ |S_i|₁ Σ_j |S_j|₁ for every i. *)
Definition dominant (n s : nat) (kappa : Z) (S T : seq (seq Z)) : bool :=
  let norms := map abssum S in
  let room := Z.mul kappa (sumz norms) in
  all (fun i => let row := nth [::] T i in let diagonal := Z.abs (nth Z0 row i) in
        Z.ltb (Z.mul (nth Z0 norms i) room)
          (Z.shiftl (Z.sub diagonal (Z.sub (abssum row) diagonal)) (Z.of_nat s))) (iota 0 n).

Definition check_signs (n s : nat) (kappa : Z) (S M : seq (seq Z)) (r : nat) : bool :=
  let T := congruent S M in
  [&& size S == n, rows_of n S, dominant n s kappa S T &
      count (fun i => Z.ltb 0 (entry T i i)) (iota 0 n) == r].

Section Signs.
Variables (R : rcfType) (n : nat).
Local Notation zr := (zr R).

Definition mx (L : seq (seq Z)) : 'M[R]_n := \matrix_(i, j) zr (entry L i j).

Lemma entry_congruent S M i j : size S = n -> rows_of n S -> size M = n -> rows_of n M ->
  (i < n)%N -> (j < n)%N ->
  zr (entry (congruent S M) i j) =
    \sum_(l < n) (\sum_(k < n) zr (entry S i k) * zr (entry M l k)) * zr (entry S j l).
Proof.
move=> Sn rowsS Mn rowsM i_lt j_lt.
rewrite /entry (nth_map [::]) ?size_map ?Sn // (nth_map [::]) ?Sn //.
rewrite (zr_dotz _ _ (rows_ofP rowsS _)) ?Sn //; apply: eq_bigr => l _.
rewrite (nth_map [::]) ?Sn // (nth_map [::]) ?Mn // mulrC.
by rewrite (zr_dotz _ _ (rows_ofP rowsS _)) ?Sn.
Qed.

Lemma mx_congruent S M : size S = n -> rows_of n S -> size M = n -> rows_of n M ->
  mx (congruent S M) = mx S *m (mx M)^T *m (mx S)^T.
Proof.
move=> Sn rowsS Mn rowsM; apply/matrixP => i j; rewrite mxE entry_congruent // mxE.
apply: eq_bigr => l _; rewrite !mxE; congr (_ * _).
by apply: eq_bigr => k _; rewrite !mxE.
Qed.

Lemma count_ord (P : pred nat) : count P (iota 0 n) = #|[set i : 'I_n | P i]|.
Proof. by rewrite -val_enum_ord count_map cardsE cardE size_filter -enumT. Qed.

Lemma rows_congruent S M i : size S = n -> (i < n)%N -> size (nth [::] (congruent S M) i) = n.
Proof. by move=> Sn i_lt; rewrite (nth_map [::]) ?size_map ?Sn. Qed.

Lemma row1_mx S i : size S = n -> rows_of n S -> (i < n)%N ->
  zr (nth Z0 (map abssum S) i) = \sum_(k < n) `|zr (entry S i k)|.
Proof.
move=> Sn rowsS i_lt; rewrite (nth_map [::]) ?Sn //.
by rewrite (zr_abssum _ (rows_ofP rowsS _)) ?Sn.
Qed.

(** If M is near a positive multiple of G − εI, the count of signs is the ε-rank. *)
Lemma check_signs_sound (G : 'M[R]_n) eps c s kappa S M r :
  0 < c -> symmetric G -> size M = n -> rows_of n M ->
  (forall i j : 'I_n, `|c * (G - eps%:M) i j - zr (entry M j i) * 2%:R ^+ s| <= zr kappa) ->
  check_signs n s kappa S M r -> epsrank G eps = r.
Proof.
move=> c_gt0 symG Mn rowsM close /and4P[/eqP Sn rowsS dom /eqP <-].
pose M' : 'M[R]_n := 2%:R ^+ s *: (mx M)^T.
have pow_gt0 : 0 < 2%:R ^+ s :> R by rewrite exprn_gt0 ?ltr0n.
have TE i j : (mx S *m M' *m (mx S)^T) i j = 2%:R ^+ s * zr (entry (congruent S M) i j).
  by rewrite /M' -scalemxAr -scalemxAl mxE -mx_congruent // mxE.
rewrite (epsrank_approx (S := mx S) (M' := M') (c := c) (kappa := zr kappa)) //.
- rewrite count_ord; congr #|pred_of_set _|; apply/setP => i; rewrite !inE TE.
  by rewrite pmulr_rgt0 // -[0](rmorph0 (zr_rmorphism R)) zr_lt.
- by move=> i j; rewrite [M' i j]mxE [_^T _ _]mxE [mx _ _ _]mxE [X in _ - X]mulrC.
move=> i; have /allP/(_ (i : nat)) := dom.
rewrite mem_iota ltn_ord => /(_ isT) /=; rewrite -(zr_lt R) zr_shiftl !zrB zrM zrM zr_abs.
rewrite (zr_abssum R (rows_congruent M Sn (ltn_ord i))) row1_mx // TE normrM (gtr0_norm pow_gt0).
rewrite (zr_sumz R (n := n)) ?size_map //.
rewrite [X in (_ - (X - _)) * _](bigD1 i) //= [X in _ - X]addrAC subrr add0r => lt_i.
have -> : off (mx S *m M' *m (mx S)^T) i =
    2%:R ^+ s * \sum_(j < n | j != i) `|zr (entry (congruent S M) i j)|.
  rewrite mulr_sumr; apply: eq_bigr => j _.
  by rewrite TE normrM gtr0_norm.
have -> : row1 (mx S) i = \sum_(k < n) `|zr (entry S i k)|.
  by apply: eq_bigr => k _; rewrite mxE.
have -> : \sum_j row1 (mx S) j = \sum_(j < n) zr (nth Z0 (map abssum S) j).
  by apply: eq_bigr => j _; rewrite row1_mx //; apply: eq_bigr => k _; rewrite mxE.
rewrite -ltr_subr_addl -mulrBr [X in _ < X]mulrC.
by rewrite [zr kappa * _]mulrC -mulrA.
Qed.

End Signs.

(** ** The multiple of G − εI, with low bits left out *)

(** What leaving out a bits of an integer may change. *)
Definition left_out (a : nat) : Z := if a is 0%N then Z0 else Z.shiftl 1 (Z.of_nat a).

(** Entry (i, j): (e·4^q·P_ij − θ·[i = j]) / 2^s, rounded down. *)
Definition sheared (n q s : nat) (e theta : Z) (P : seq (seq Z)) : seq (seq Z) :=
  mkseq (fun i => mkseq (fun j =>
    Z.shiftr (Z.sub (Z.mul e (Z.shiftl (entry P i j) (Z.of_nat q.*2))) (if i == j then theta else Z0))
      (Z.of_nat s)) n) n.

Section Shear.
Variable R : realDomainType.
Local Notation zr := (zr R).

Lemma left_outP x a :
  0 <= zr x - zr (Z.shiftr x (Z.of_nat a)) * 2%:R ^+ a <= zr (left_out a).
Proof.
case: a => [|a]; first by rewrite Z.shiftr_0_r expr0 mulr1 subrr lexx.
have /andP[lo hi] := zr_shiftr R x a.+1.
by rewrite lo (_ : zr (left_out _) = 2%:R ^+ a.+1) ?ltW //; apply: (zr_pow2 R a.+1).
Qed.

Lemma left_out_ge0 a : 0 <= zr (left_out a).
Proof. by have /andP[/le_trans h /h] := left_outP Z0 a. Qed.

(** A product of two integers of modulus at most m, from their leading bits. *)
Lemma cut_product x y (m : R) a (x' := Z.shiftr x (Z.of_nat a)) (y' := Z.shiftr y (Z.of_nat a)) :
  `|zr x| <= m -> `|zr y| <= m ->
  `|zr x * zr y - zr x' * zr y' * 4%:R ^+ a| <= zr (left_out a) * (2%:R * m + zr (left_out a)).
Proof.
move=> xm ym; have /andP[] := left_outP x a; have /andP[] := left_outP y a.
rewrite -/x' -/y'; set t := zr (left_out a); set p := 2%:R ^+ a.
set u := zr x - _; set v := zr y - _ => v_ge0 vt u_ge0 ut.
have -> : 4%:R ^+ a = p * p by rewrite -exprMn -natrM.
have -> : zr x * zr y - zr x' * zr y' * (p * p) = zr x * v + u * zr y - u * v.
  by rewrite /u /v; ring.
apply: le_trans (ler_norm_sub _ _) _; rewrite !normrM (ger0_norm u_ge0) (ger0_norm v_ge0) mulrDr.
rewrite ler_add ?ler_pmul //; apply: le_trans (ler_norm_add _ _) _.
rewrite !normrM (ger0_norm u_ge0) (ger0_norm v_ge0).
rewrite (_ : t * (2%:R * m) = m * t + t * m); last by ring.
by rewrite ler_add ?ler_pmul.
Qed.

Lemma sheared_close n q s e theta P i j (x kappa : R) : (i < n)%N -> (j < n)%N ->
  `|x - zr (entry P j i) * 4%:R ^+ q| <= kappa ->
  `|zr (Zpos e) * x - (if i == j then zr theta else 0) -
    zr (entry (sheared n q s (Zpos e) theta P) j i) * 2%:R ^+ s| <=
  zr (Zpos e) * kappa + zr (left_out s).
Proof.
move=> i_lt j_lt close; rewrite entry_mkseq //; set z := Z.sub _ _.
have /andP[lo hi] := left_outP z s.
have -> : zr (Zpos e) * x - (if i == j then zr theta else 0) =
    zr z + zr (Zpos e) * (x - zr (entry P j i) * 4%:R ^+ q).
  have -> : 4%:R ^+ q = 2%:R ^+ q.*2 :> R by rewrite -mul2n exprM expr2 -natrM.
  rewrite /z zrB zrM zr_shiftl [j == i]eq_sym (fun_if zr).
  by set a := zr (Zpos e); set b := zr (entry P j i); set p := _ ^+ _; case: eqP => _; ring.
rewrite addrAC addrC; apply: le_trans (ler_norm_add _ _) _.
by rewrite ler_add ?(ger0_norm lo) // normrM gtr0_norm ?zr_pos // ler_pmul2l ?zr_pos.
Qed.

End Shear.

(** ** The checker of measurements *)

Definition cut_features (a : nat) (F : seq (seq Z)) : seq (seq Z) :=
  if a is 0%N then F else [seq [seq Z.shiftr x (Z.of_nat a) | x <- u] | u <- F].

(** A bound of what cutting [a] bits off every feature may change in an entry of the Gram matrix. *)
Definition cut_error (a : nat) (w : seq BinNums.N) (F : seq (seq Z)) : Z :=
  let t := left_out a in
  Z.mul (Z.mul t (Z.add (Z.mul 2 (maxabs (map maxabs F))) t)) (sumz (map Z.of_N w)).

Definition check_rank (d : measurement) (eps : Q) (cert : rank_certificate) (r : nat) : bool :=
  let n := width d in
  let P := products (weights d) (cut_features (cut cert) (neurons d)) in
  let theta := Z.shiftl (Z.mul (Qnum eps) (Zpos (total d))) (Z.of_nat (scale d).*2) in
  let M := sheared n (cut cert) (drop cert) (Zpos (Qden eps)) theta P in
  let kappa := Z.add (Z.mul (Zpos (Qden eps)) (cut_error (cut cert) (weights d) (neurons d)))
                 (left_out (drop cert)) in
  rows_of (samples d) (neurons d) && check_signs n (drop cert) kappa (basis cert) M r.

Section Soundness.
Variable R : rcfType.
Local Notation zr := (zr R).

Lemma entry_cut a F i j : entry (cut_features a F) i j = Z.shiftr (entry F i j) (Z.of_nat a).
Proof.
case: a => [|a]; first by rewrite Z.shiftr_0_r.
rewrite /cut_features /entry; move: (Z.of_nat a.+1) => b.
have [i_lt|i_ge] := ltnP i (size F); last first.
  by rewrite !(@nth_default _ [::]) ?size_map // !(@nth_default _ Z0) // Z.shiftr_0_l.

rewrite (nth_map [::]) //; have [j_lt|j_ge] := ltnP j (size (nth [::] F i)).
  by rewrite (nth_map Z0).
by rewrite !(@nth_default _ Z0) ?size_map // Z.shiftr_0_l.
Qed.

Lemma size_cut a F : size (cut_features a F) = size F.
Proof. by case: a => // a; rewrite size_map. Qed.

Lemma rows_cut a m F : rows_of m F -> rows_of m (cut_features a F).
Proof.
case: a => // a /allP rowsF; apply/allP => _ /mapP[u uF ->].
by rewrite size_map rowsF.
Qed.

Lemma entry_maxabs F i j : `|zr (entry F i j)| <= zr (maxabs (map maxabs F)).
Proof.
apply: le_trans (zr_maxabs R _ _) _; have [i_lt|i_ge] := ltnP i (size F).
  apply: le_trans (zr_maxabs R _ i); rewrite (nth_map [::]) //.
  exact: ler_norm.
by rewrite nth_default //=; apply: le_trans (zr_maxabs R _ i); apply: normr_ge0.
Qed.

Lemma cut_errorP a w F i j : rows_of (size w) F -> (i < size F)%N -> (j < size F)%N ->
  `|zr (entry (products w F) i j) - zr (entry (products w (cut_features a F)) i j) * 4%:R ^+ a| <=
  zr (cut_error a w F).
Proof.
move=> rowsF i_lt j_lt; rewrite !entry_products ?size_cut ?rows_cut //.
rewrite mulr_suml -sumrB zrM mulrC (zr_sumz R (n := size w)) ?size_map // mulr_suml.
apply: le_trans (ler_norm_sum _ _ _) _; apply: ler_sum => k _.
rewrite -mulrA -mulrBr normrM ger0_norm ?zr_N // (nth_map N0) // ler_wpmul2l ?zr_N //.
by rewrite !entry_cut zrM zrD zrM; apply: cut_product; apply: entry_maxabs.
Qed.

(** The integer matrix of the checker is near a multiple of G − εI. *)
Lemma measured_close d eps q s (i j : 'I_(width d))
    (P := products (weights d) (cut_features q (neurons d)))
    (theta := Z.shiftl (Z.mul (Qnum eps) (Zpos (total d))) (Z.of_nat (scale d).*2)) :
  rows_of (samples d) (neurons d) ->
  `|zr (Zpos (Qden eps)) * (zr (Zpos (total d)) * 4%:R ^+ scale d) *
      (gram (on_data R d) (@phi R d) - (qr R eps)%:M) i j -
    zr (entry (sheared (width d) q s (Zpos (Qden eps)) theta P) j i) * 2%:R ^+ s| <=
  zr (Z.add (Z.mul (Zpos (Qden eps)) (cut_error q (weights d) (neurons d))) (left_out s)).
Proof.
move=> rowsF; pose D := zr (Zpos (total d)); pose e := zr (Zpos (Qden eps)).
have e_gt0 : 0 < e := zr_pos _ _.
have -> : zr (Zpos (Qden eps)) * (zr (Zpos (total d)) * 4%:R ^+ scale d) *
      (gram (on_data R d) (@phi R d) - (qr R eps)%:M) i j =
    e * zr (entry (products (weights d) (neurons d)) j i) -
    (if (i : nat) == j then zr theta else 0).
  rewrite -gram_products // -/e -/D -mulrA !mxE (dotC _ (phi R j)) -/D (fun_if (fun b => _ - b)) /=.
  rewrite -val_eqE; case: eqP => _; last by rewrite subr0 mulr0n subr0; ring.
  rewrite mulr1n /theta zr_shiftl zrM -/D /qr -/e.
  have -> : 4%:R ^+ scale d = 2%:R ^+ (scale d).*2 :> R by rewrite -mul2n exprM expr2 -natrM.
  move: (data_dot _ _ _) (zr (Qnum _)) (_ ^+ _) => g x p.
  by move: (gt_eqF e_gt0); move: (e) (D) => y z y_neq0; field; rewrite y_neq0.
rewrite zrD zrM -/e; apply: (@sheared_close R) => //.
exact: cut_errorP.
Qed.

(** The checker is right: what it accepts is the ε-rank of the measurement's Gram matrix. *)
Theorem check_rank_sound d eps cert r : check_rank d eps cert r = true ->
  epsrank (gram (on_data R d) (@phi R d)) (qr R eps) = r.
Proof.
move=> /andP[rowsF]; pose D := zr (Zpos (total d)); pose e := zr (Zpos (Qden eps)).
have D_gt0 : 0 < D := zr_pos _ _; have e_gt0 : 0 < e := zr_pos _ _.
have p_gt0 : 0 < 4%:R ^+ scale d :> R by rewrite exprn_gt0 ?ltr0n.
apply: (check_signs_sound (c := e * (D * 4%:R ^+ scale d))); rewrite ?mulr_gt0 //.
- exact: gram_sym.
- by rewrite size_mkseq.
- by apply/allP => _ /mapP[i _ ->]; rewrite size_mkseq.
by move=> i j; apply: measured_close.
Qed.

End Soundness.

(** ** The checker of a given Gram matrix *)

(** The symmetric matrix with the entries G_ij / 2^a. *)
Definition given_gram (R : rcfType) (a : nat) (G : seq (seq Z)) : 'M[R]_(size G) :=
  \matrix_(i, j) (zr R (entry G i j) / 2%:R ^+ a).

Definition symmetric_rows (G : seq (seq Z)) : bool :=
  all (fun i => all (fun j => Z.eqb (entry G i j) (entry G j i)) (iota 0 i)) (iota 0 (size G)).

Definition check_rank_gram (a : nat) (G : seq (seq Z)) (eps : Q) (cert : rank_certificate) (r : nat)
    : bool :=
  let theta := Z.shiftl (Qnum eps) (Z.of_nat a) in
  let M := sheared (size G) 0 (drop cert) (Zpos (Qden eps)) theta G in
  symmetric_rows G && check_signs (size G) (drop cert) (left_out (drop cert)) (basis cert) M r.

Lemma symmetric_rowsP G i j : symmetric_rows G -> (i < size G)%N -> (j < size G)%N ->
  entry G i j = entry G j i.
Proof.
move=> /allP symG.
have half a b : (b < a)%N -> (a < size G)%N -> entry G a b = entry G b a.
  move=> ba a_lt; have /symG/allP/(_ b) : a \in iota 0 (size G) by rewrite mem_iota.
  by rewrite mem_iota => /(_ ba)/Z.eqb_eq.
by move=> i_lt j_lt; have [ij|ji|->//] := ltngtP i j; [apply/esym/half | apply: half].
Qed.

(** The checker of Gram matrices is right. *)
Theorem check_rank_gram_sound (R : rcfType) a G eps cert r : check_rank_gram a G eps cert r = true ->
  epsrank (given_gram R a G) (qr R eps) = r.
Proof.
move=> /andP[symG]; set M := sheared _ _ _ _ _ _.
pose e := zr R (Zpos (Qden eps)); have e_gt0 : 0 < e := zr_pos _ _.
have p_gt0 : 0 < 2%:R ^+ a :> R by rewrite exprn_gt0 ?ltr0n.
apply: (check_signs_sound (c := e * 2%:R ^+ a)); rewrite ?mulr_gt0 //.
- by apply/matrixP => i j; rewrite !mxE (symmetric_rowsP symG).
- by rewrite size_mkseq.
- by apply/allP => _ /mapP[i _ ->]; rewrite size_mkseq.
move=> i j; pose theta := Z.shiftl (Qnum eps) (Z.of_nat a).
have -> : e * 2%:R ^+ a * (given_gram R a G - (qr R eps)%:M) i j =
    e * zr R (entry G i j) - (if (i : nat) == j then zr R theta else 0).
  rewrite !mxE (fun_if (fun b => _ - b)) /= -val_eqE.
  case: eqP => _; last by rewrite mulr0n !subr0 -mulrA [_ * (_ / _)]mulrC divfK ?gt_eqF.
  rewrite mulr1n /theta zr_shiftl /qr -/e.
  move: (gt_eqF e_gt0) (gt_eqF p_gt0); move: (e) (_ ^+ a) (zr R (entry G i j)) (zr R (Qnum eps)).
  by move=> y p g x y_neq0 p_neq0; field; rewrite y_neq0 p_neq0.
have := @sheared_close R (size G) 0 (drop cert) (Qden eps) theta G i j (zr R (entry G i j)) 0.
rewrite expr0 mulr1 (symmetric_rowsP symG (ltn_ord j)) // subrr normr0 lexx mulr0 add0r.
exact.
Qed.
