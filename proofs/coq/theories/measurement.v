(** * A measurement: features of a finite data set as integers

    Floating-point numbers are integers times a power of two, so a measurement is given by integers,
    without rounding:
    - [neurons d]     one list per neuron: its values at the samples, times 2^[scale d];
    - [weights d]     one natural number per sample, the weights times [total d] (for a mean over N
                      samples: N times 1, and [total d] = N);
    - [phi R d]       the neurons φ_j as vectors over the field R, divided by 2^[scale d] again;
    - [mass R d]      the weights w_i over R;
    - [on_data R d]   the form Σ_i w_i u_i v_i of the data, so that [gram (on_data R d) (phi R d)] is
                      the Gram matrix G = Φᵀ diag(w) Φ;
    - [gramz d]       the integers D·4^a·G_ij, computed. *)

From Coq Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From mathcomp.zify Require Import ssrZ.
From EpsRank Require Import form zmatrix.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Record measurement := Measurement {
  scale : nat;
  total : positive;
  weights : seq BinNums.N;
  neurons : seq (seq Z)
}.

Section Meaning.
Variables (R : rcfType) (d : measurement).

Definition samples : nat := size (weights d).
Definition width : nat := size (neurons d).

(** φ_j(x_i), the j-th neuron at the i-th sample. *)
Definition phi (j : 'I_width) : 'cV[R]_samples :=
  \col_i (zr R (entry (neurons d) j i) / 2%:R ^+ scale d).

(** w_i. *)
Definition mass : 'rV[R]_samples :=
  \row_i (zr R (Z.of_N (nth N0 (weights d) i)) / zr R (Zpos (total d))).

Lemma mass_ge0 i : 0 <= mass 0 i.
Proof. by rewrite mxE divr_ge0 ?zr_N // ltW ?zr_pos. Qed.

(** ⟨u, v⟩ = Σ_i w_i u_i v_i. *)
Definition on_data := data_form mass_ge0.

End Meaning.

(** ** Weighted products of lists *)

Definition weigh (w : seq BinNums.N) (u : seq Z) : seq Z :=
  [seq Z.mul (Z.of_N p.1) p.2 | p <- zip w u].

Lemma size_weigh w u n : size w = n -> size u = n -> size (weigh w u) = n.
Proof. by move=> wn un; rewrite size_map size_zip wn un minnn. Qed.

Lemma nth_weigh w u i : size u = size w ->
  nth Z0 (weigh w u) i = Z.mul (Z.of_N (nth N0 w i)) (nth Z0 u i).
Proof.
move=> uw; have [i_lt|i_ge] := ltnP i (size w).
  by rewrite (nth_map (N0, Z0)) ?size_zip ?uw ?minnn // nth_zip.
by rewrite !nth_default ?size_map ?size_zip ?uw ?minnn.
Qed.

(** Σ_k W_k u_k v_k. *)
Lemma zr_dotz_weigh (R : numDomainType) w u v : size u = size w ->
  zr R (dotz (weigh w u) v) =
    \sum_(k < size w) zr R (Z.of_N (nth N0 w k)) * (zr R (nth Z0 u k) * zr R (nth Z0 v k)).
Proof.
move=> uw; rewrite (zr_dotz _ _ (size_weigh (erefl _) uw)).
by apply: eq_bigr => k _; rewrite nth_weigh // zrM mulrA.
Qed.

(** ** The integer Gram matrix *)

(** A symmetric matrix from its lower half. *)
Definition mirror n (L : seq (seq Z)) : seq (seq Z) :=
  mkseq (fun i => mkseq (fun j => if (j <= i)%N then entry L i j else entry L j i) n) n.

(** Σ_k W_k u_ik u_jk for the lists u_1, u_2, … of L; only the lower half is computed. *)
Definition products (w : seq BinNums.N) (L : seq (seq Z)) : seq (seq Z) :=
  let weighted := map (weigh w) L in
  mirror (size L) (mkseq (fun i => map (dotz (nth [::] weighted i)) (take i.+1 L)) (size L)).

Lemma entry_mkseq f m n i j : (i < m)%N -> (j < n)%N ->
  entry (mkseq (fun i => mkseq (f i) n) m) i j = f i j.
Proof. by move=> im jn; rewrite /entry nth_mkseq // nth_mkseq. Qed.

Lemma entry_products (R : numDomainType) w L i j :
  rows_of (size w) L -> (i < size L)%N -> (j < size L)%N ->
  zr R (entry (products w L) i j) =
    \sum_(k < size w) zr R (Z.of_N (nth N0 w k)) * (zr R (entry L i k) * zr R (entry L j k)).
Proof.
move=> rowsL iL jL; rewrite entry_mkseq //.
have half a b : (b <= a)%N -> (a < size L)%N ->
    zr R (entry (mkseq (fun i => map (dotz (nth [::] (map (weigh w) L) i)) (take i.+1 L)) (size L))
           a b) =
    \sum_(k < size w) zr R (Z.of_N (nth N0 w k)) * (zr R (entry L a k) * zr R (entry L b k)).
  move=> ba aL; rewrite {1}/entry nth_mkseq // (nth_map [::]); last by rewrite size_takel.
  by rewrite (nth_map [::]) // nth_take // zr_dotz_weigh // (rows_ofP rowsL).
case: ifP => [|/negbT]; first by move=> ji; apply: half.
rewrite -ltnNge => /ltnW ij; rewrite half //.
by apply: eq_bigr => k _; rewrite [X in _ * X]mulrC.
Qed.

(** The Gram matrix is the integer matrix over D·4^a. *)
Lemma gram_products (R : rcfType) d i j : rows_of (samples d) (neurons d) ->
  gram (on_data R d) (phi R (d := d)) i j * (zr R (Zpos (total d)) * 4%:R ^+ scale d) =
  zr R (entry (products (weights d) (neurons d)) i j).
Proof.
move=> rowsF; rewrite (entry_products R rowsF) // mxE /= /data_dot mulr_suml.
apply: eq_bigr => k _; rewrite !mxE.
have D_neq0 : zr R (Zpos (total d)) != 0 by rewrite gt_eqF ?zr_pos.
have p_neq0 : 2%:R ^+ scale d != 0 :> R by rewrite expf_neq0 // pnatr_eq0.
rewrite (_ : 4%:R ^+ scale d = 2%:R ^+ scale d * 2%:R ^+ scale d); last first.
  by rewrite -exprMn -natrM.
move: (zr R (Z.of_N _)) (zr R (entry _ i k)) (zr R (entry _ j k)) => a b c.
by move: D_neq0 p_neq0; set D := zr R _; set p := _ ^+ _ => D_neq0 p_neq0; field; rewrite p_neq0.
Qed.
