(** * A verified checker of loss floors

    What features can reach under a bound on the output weights: for every output layer W with
    ‖W‖² ≤ B², the squared distance of φW to the target is at least x. The certificate names an
    output layer β, believed to be near the best one; its residual, rounded at will, is a dual
    vector ρ, and any ρ gives the bound  ‖φW − u*‖² ≥ −‖ρ‖² − 2⟨ρ, u*⟩ − 2B |Φᵀρ|.
    - [outputs t]    one list per output: the target at the samples, times 2^[level t];
    - [target R d t] those targets over the field R;
    - [squared_loss] Σ_l ‖φ·W_l − u*_l‖², W_l the l-th row of W: the weights of output l. *)

From Coq Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From mathcomp.zify Require Import ssrZ.
From EpsRank Require Import form zmatrix measurement.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** Any dual vector bounds the loss from below *)

Section Frobenius.
Variables (R : rcfType) (k n : nat).

Definition frobenius (X Y : 'M[R]_(k, n)) : R := \sum_l \sum_j X l j * Y l j.

Lemma frobeniusDl X Y Z : frobenius (X + Y) Z = frobenius X Z + frobenius Y Z.
Proof.
rewrite -big_split; apply: eq_bigr => l _; rewrite -big_split; apply: eq_bigr => j _.
by rewrite mxE mulrDl.
Qed.

Lemma frobeniusZl a X Y : frobenius (a *: X) Y = a * frobenius X Y.
Proof.
rewrite mulr_sumr; apply: eq_bigr => l _; rewrite mulr_sumr; apply: eq_bigr => j _.
by rewrite mxE mulrA.
Qed.

Lemma frobeniusC X Y : frobenius X Y = frobenius Y X.
Proof. by apply: eq_bigr => l _; apply: eq_bigr => j _; rewrite mulrC. Qed.

Lemma frobenius_ge0 X : 0 <= frobenius X X.
Proof. by apply: sumr_ge0 => l _; apply: sumr_ge0 => j _; rewrite -expr2 sqr_ge0. Qed.

Definition frobenius_form : preHilbert [lmodType R of 'M[R]_(k, n)] :=
  PreHilbert frobeniusDl frobeniusZl frobeniusC frobenius_ge0.

End Frobenius.

Section Dual.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V) (n k : nat).
Variables (phi : 'I_n -> V) (ustar rho : 'I_k -> V).

(** ‖φW − u*‖² for k outputs. *)
Definition squared_loss (W : 'M[R]_(k, n)) : R :=
  \sum_l nrm2 B (comb phi (row l W) - ustar l).

(** Φᵀρ: the entry of output l and neuron j is ⟨φ_j, ρ_l⟩. *)
Definition correlation : 'M[R]_(k, n) := \matrix_(l, j) dot B (phi j) (rho l).

(** −‖ρ‖² − 2⟨ρ, u*⟩. *)
Definition dual_value : R := - \sum_l (nrm2 B (rho l) + 2%:R * dot B (rho l) (ustar l)).

(** If a = −‖ρ‖² − 2⟨ρ, u*⟩ − x ≥ 0 and a² ≥ 4 B² |Φᵀρ|², then the loss is at least x for
    every W with ‖W‖² ≤ B². *)
Theorem dual_bound (x B2 : R) (W : 'M[R]_(k, n)) :
  \sum_l sqn (row l W) <= B2 -> x <= dual_value ->
  4%:R * B2 * (\sum_l \sum_j correlation l j ^+ 2) <= (dual_value - x) ^+ 2 ->
  x <= squared_loss W.
Proof.
move=> WB x_le; set a := dual_value - x => room.
have a_ge0 : 0 <= a by rewrite subr_ge0.
pose g := frobenius W correlation.
have lossE : dual_value + 2%:R * g <= squared_loss W.
  rewrite /dual_value /g /frobenius mulr_sumr addrC -sumrB; apply: ler_sum => l _.
  have -> : \sum_j W l j * correlation l j = dot B (comb phi (row l W)) (rho l).
    by rewrite dot_suml; apply: eq_bigr => j _; rewrite dotZl !mxE.
  rewrite -subr_ge0; set v := comb _ _.
  have := nrm2_ge0 B (v - ustar l - rho l).
  rewrite nrm2B dotBl (dotC _ (ustar l)) => h; apply: le_trans h _.
  by rewrite le_eqVlt; apply/orP; left; apply/eqP; ring.
have normW : frobenius W W = \sum_l sqn (row l W).
  by apply: eq_bigr => l _; rewrite sqnE; apply: eq_bigr => j _; rewrite mxE expr2.
have normC : frobenius correlation correlation = \sum_l \sum_j correlation l j ^+ 2.
  by apply: eq_bigr => l _; apply: eq_bigr => j _; rewrite expr2.
have g_le : `|2%:R * g| <= a.
  rewrite -(@ler_pexpn2r _ 2) ?nnegrE // real_normK ?num_real //.
  apply: le_trans room; rewrite exprMn -natrX -mulrA ler_pmul2l ?ltr0n //.
  apply: le_trans (cauchy_schwarz2 (frobenius_form R k n) W correlation) _.
  rewrite /nrm2 /= normW normC ler_wpmul2r // -normC; apply: frobenius_ge0.
apply: le_trans lossE; rewrite -ler_subl_addl -[x - _]opprB -/a ler_oppl.
by apply: le_trans g_le; rewrite -normrN ler_norm.
Qed.

End Dual.

(** ** The checker *)

Record floor_target := FloorTarget {
  level : nat;
  outputs : seq (seq Z)
}.

(** β = [layer] / 2^[layer_scale], and ρ its residual in units of 2^(−[dual_scale]). *)
Record floor_certificate := FloorCertificate {
  layer_scale : nat;
  dual_scale : nat;
  layer : seq (seq Z)
}.

(** Σ_j b_j F_j, sample by sample. *)
Definition combination (N : nat) (F : seq (seq Z)) (b : seq Z) : seq Z :=
  foldr (fun p acc => [seq Z.add (Z.mul p.1 q.1) q.2 | q <- zip p.2 acc]) (nseq N Z0) (zip b F).

Definition dual_vectors (d : measurement) (t : floor_target) (cert : floor_certificate)
    : seq (seq Z) :=
  let level_of_product := Z.add (Z.of_nat (scale d)) (Z.of_nat (layer_scale cert)) in
  let up := Z.sub level_of_product (Z.of_nat (level t)) in
  let down := Z.sub level_of_product (Z.of_nat (dual_scale cert)) in
  [seq [seq Z.shiftr (Z.sub q.1 (Z.shiftl q.2 up)) down
         | q <- zip (combination (samples d) (neurons d) p.2) p.1]
    | p <- zip (outputs t) (layer cert)].

(** The test of [dual_bound] for ρ = r / 2^s, multiplied out. *)
Definition check_dual (d : measurement) (t : floor_target) (B2 x : Q) (s : nat) (rho : seq (seq Z))
    : bool :=
  let D := Zpos (total d) in
  let weighted := map (weigh (weights d)) rho in
  let value := Z.opp (sumz [seq dotz p.1
      [seq Z.add (Z.shiftl q.1 (Z.of_nat (level t))) (Z.shiftl q.2 (Z.of_nat s.+1))
        | q <- zip p.2.1 p.2.2]
    | p <- zip weighted (zip rho (outputs t))]) in
  let correlations := [seq map (dotz r) (neurons d) | r <- weighted] in
  let squares := sumz [seq dotz c c | c <- correlations] in
  let a := Z.sub (Z.mul value (Zpos (Qden x)))
             (Z.shiftl (Z.mul (Qnum x) D) (Z.of_nat (s.*2 + level t))) in
  [&& rows_of (samples d) (neurons d), rows_of (samples d) (outputs t), rows_of (samples d) rho,
      size rho == size (outputs t), Z.leb 0 a &
      Z.leb (Z.shiftl (Z.mul (Z.mul (Z.mul (Qnum B2) squares) (Zpos (Qden x))) (Zpos (Qden x)))
               (Z.of_nat (s + level t).+1.*2))
            (Z.shiftl (Z.mul (Z.mul a a) (Zpos (Qden B2))) (Z.of_nat (scale d).*2))].

Definition check_floor (d : measurement) (t : floor_target) (B2 x : Q) (cert : floor_certificate)
    : bool :=
  check_dual d t B2 x (dual_scale cert) (dual_vectors d t cert).

Section Soundness.
Variable R : rcfType.
Local Notation zr := (zr R).

(** u*_l, the l-th output of the target. *)
Definition target (d : measurement) (t : floor_target) (l : 'I_(size (outputs t)))
    : 'cV[R]_(samples d) :=
  \col_i (zr (entry (outputs t) l i) / 2%:R ^+ level t).

Section Dual.
Variables (d : measurement) (t : floor_target) (s : nat) (rho : seq (seq Z)).
Local Notation k := (size (outputs t)).
Local Notation U := (target d (t := t)).
Local Notation D := (zr (Zpos (total d))).
Local Notation p := (2%:R ^+ s : R).
Local Notation q := (2%:R ^+ level t : R).
Local Notation h := (2%:R ^+ scale d : R).

Hypothesis rowsF : rows_of (samples d) (neurons d).
Hypothesis rowsU : rows_of (samples d) (outputs t).
Hypothesis rows_rho : rows_of (samples d) rho.
Hypothesis size_rho : size rho = k.

(** ρ_l over R. *)
Definition dual (l : 'I_k) : 'cV[R]_(samples d) := \col_i (zr (entry rho l i) / p).

Let size_row l : (l < k)%N -> size (nth [::] rho l) = size (weights d).
Proof. by move=> l_lt; rewrite (rows_ofP rows_rho) ?size_rho. Qed.

Let size_output l : (l < k)%N -> size (nth [::] (outputs t) l) = size (weights d).
Proof. exact: rows_ofP. Qed.

Let D_neq0 : D != 0. Proof. by rewrite gt_eqF ?zr_pos. Qed.
Let pow_neq0 m : 2%:R ^+ m != 0 :> R. Proof. by rewrite expf_neq0 ?pnatr_eq0. Qed.

Lemma scaled_dual_value :
  dual_value (on_data R d) U dual * (D * p ^+ 2 * q) =
  - zr (sumz [seq dotz e.1
      [seq Z.add (Z.shiftl g.1 (Z.of_nat (level t))) (Z.shiftl g.2 (Z.of_nat s.+1))
        | g <- zip e.2.1 e.2.2]
    | e <- zip (map (weigh (weights d)) rho) (zip rho (outputs t))]).
Proof.
move: (erefl s.+1); move: {1 3}(s.+1) => e eE.
rewrite (zr_sumz R (n := k)) ?size_map ?size_zip ?size_map ?size_rho ?minnn //.
rewrite mulNr mulr_suml; congr (- _); apply: eq_bigr => l _.
rewrite (nth_map ([::], ([::], [::]))) ?size_zip ?size_map ?size_rho ?minnn //.
rewrite !nth_zip ?size_zip ?size_map ?size_rho ?minnn //= (nth_map [::]) ?size_rho //.
rewrite zr_dotz_weigh ?size_row // /nrm2 /= /data_dot mulr_sumr -big_split mulr_suml.
apply: eq_bigr => i _ /=; rewrite !mxE (nth_map (Z0, Z0)); last first.
  by rewrite size_zip size_row ?size_output ?minnn.
rewrite nth_zip ?size_row ?size_output //= zrD !zr_shiftl eE [_ ^+ s.+1]exprS /entry.
move: (zr (Z.of_N _)) (zr (nth _ (nth _ rho l) _)) (zr (nth _ (nth _ (outputs t) l) _)) => w x y.
move: (zr _) (p) (q) D_neq0 (pow_neq0 s) (pow_neq0 (level t)) => D' p' q' D0 p0 q0.
by field; rewrite D0 p0 q0.
Qed.

Lemma scaled_correlation l j : correlation (on_data R d) (@phi R d) dual l j * (D * p * h) =
  zr (dotz (weigh (weights d) (nth [::] rho l)) (nth [::] (neurons d) j)).
Proof.
rewrite zr_dotz_weigh ?size_row // mxE /= /data_dot mulr_suml.
apply: eq_bigr => i _; rewrite !mxE /entry.
move: (zr (Z.of_N _)) (zr (nth _ (nth _ rho l) _)) (zr (nth _ (nth _ (neurons d) j) _)) => w x y.
move: (zr _) (p) (h) D_neq0 (pow_neq0 s) (pow_neq0 (scale d)) => D' p' h' D0 p0 h0.
by field; rewrite D0 p0 h0.
Qed.

Lemma scaled_squares :
  (\sum_l \sum_j correlation (on_data R d) (@phi R d) dual l j ^+ 2) * (D * p * h) ^+ 2 =
  zr (sumz [seq dotz c c
    | c <- [seq map (dotz v) (neurons d) | v <- map (weigh (weights d)) rho]]).
Proof.
rewrite (zr_sumz R (n := k)) ?size_map // mulr_suml; apply: eq_bigr => l _.
rewrite !(nth_map [::]) ?size_map ?size_rho // (zr_dotz R (n := width d)) ?size_map // mulr_suml.
apply: eq_bigr => j _; rewrite (nth_map [::]) // -expr2 -scaled_correlation.
by rewrite [RHS]exprMn.
Qed.

End Dual.

(** What the test on the dual vectors shows. *)
Lemma check_dual_sound d t B2 x s rho : check_dual d t B2 x s rho = true ->
  forall W : 'M[R]_(size (outputs t), width d), \sum_l sqn (row l W) <= qr R B2 ->
  qr R x <= squared_loss (on_data R d) (@phi R d) (target d (t := t)) W.
Proof.
case/and5P=> rowsF rowsU rows_rho /eqP size_rho /andP[].
set v := sumz _; set C := sumz _; set a := Z.sub _ _.
rewrite -!(zr_le R) !zr_shiftl !zrM => a_ge0 room W WB.
pose D := zr (Zpos (total d)); have D_gt0 : 0 < D := zr_pos _ _.
pose y := zr (Zpos (Qden x)); have y_gt0 : 0 < y := zr_pos _ _.
pose b := zr (Zpos (Qden B2)); have b_gt0 : 0 < b := zr_pos _ _.
have pow_gt0 m : 0 < 2%:R ^+ m :> R by rewrite exprn_gt0 ?ltr0n.
pose p := 2%:R ^+ s : R; pose q := 2%:R ^+ level t : R; pose h := 2%:R ^+ scale d : R.
have [p_gt0 q_gt0 h_gt0] : [/\ 0 < p, 0 < q & 0 < h] by split; apply: pow_gt0.
pose value := dual_value (on_data R d) (target d (t := t)) (dual d s rho).
have aE : zr a = (value - qr R x) * (D * p ^+ 2 * q * y).
  have := scaled_dual_value s rowsU rows_rho size_rho; rewrite -/v -/value -/D -/p -/q => vE.
  rewrite /a zrB zrM zrN -vE zr_shiftl zrM exprD -mul2n mulnC exprM -/D -/y -/p -/q /qr -/y.
  move: (zr (Qnum x)) (gt_eqF y_gt0) => m y_neq0; move: (value) (D) (p) (q) (y) y_neq0.
  by move=> a0 a1 a2 a3 a4 a4_neq0; field; rewrite a4_neq0.
have CE := scaled_squares s rows_rho size_rho; rewrite -/C -/D -/p -/h in CE.
apply: (dual_bound WB (rho := dual d s rho)); rewrite -/value.
  move: a_ge0; rewrite (_ : zr Z0 = 0) // aE pmulr_lge0 ?subr_ge0 //.
  by repeat (assumption || apply: mulr_gt0 || apply: exprn_gt0).
move: CE; set squares := \sum_l _ => CE.
have K_gt0 : 0 < (D * p ^+ 2 * q * y) ^+ 2 * h ^+ 2 * b.
  by repeat (assumption || apply: mulr_gt0 || apply: exprn_gt0).
rewrite -(ler_pmul2r K_gt0).
have -> : (value - qr R x) ^+ 2 * ((D * p ^+ 2 * q * y) ^+ 2 * h ^+ 2 * b) =
    zr a * zr a * b * 2%:R ^+ (scale d).*2.
  by rewrite aE -mul2n mulnC exprM -/h; ring.
have -> : 4%:R * qr R B2 * squares * ((D * p ^+ 2 * q * y) ^+ 2 * h ^+ 2 * b) =
    zr (Qnum B2) * zr C * y * y * 2%:R ^+ (s + level t).+1.*2.
  rewrite -CE -mul2n mulnC exprM [_ ^+ (s + level t).+1]exprS exprD -/p -/q /qr -/b.
  move: (zr (Qnum B2)) (gt_eqF b_gt0) => m; move: (squares) (D) (p) (q) (y) (h) (b).
  by move=> a0 a1 a2 a3 a4 a5 a6 a6_neq0; field; rewrite a6_neq0.
exact: room.
Qed.

(** The checker is right: no output layer with ‖W‖² ≤ B² has a squared loss below x. *)
Theorem check_floor_sound d t B2 x cert : check_floor d t B2 x cert = true ->
  forall W : 'M[R]_(size (outputs t), width d), \sum_l sqn (row l W) <= qr R B2 ->
  qr R x <= squared_loss (on_data R d) (@phi R d) (target d (t := t)) W.
Proof. exact: check_dual_sound. Qed.

(** The same for one output: no β with |β|² ≤ B² has ‖φ·β − u*‖² < x. *)
Theorem check_floor_one_sound d a u B2 x cert (t := FloorTarget a [:: u]) :
  check_floor d t B2 x cert = true -> forall beta : 'rV[R]_(width d), sqn beta <= qr R B2 ->
  qr R x <= nrm2 (on_data R d) (comb (@phi R d) beta - target d (t := t) ord0).
Proof.
move=> ok beta betaB; have := check_floor_sound ok (W := beta).
by rewrite /squared_loss !big_ord1 row_id; apply.
Qed.

End Soundness.
