(** * Integers, lists of integers, and their images in a field

    The checkers compute with binary integers [Z] (the standard library's, so that no primitive
    number, hence no axiom, takes part) on lists; their theorems speak of a real closed field.
    - [zr R z]      the integer z as an element of the ring R;
    - [qr R q]      the fraction q = [num # den] as an element of the field R;
    - [dotz u v]    Σ_i u_i v_i for two lists;
    - [sumz u]      Σ_i u_i;   [abssum u]  Σ_i |u_i|;   [maxabs u]  an upper bound of every |u_i|;
    - [entry L i j] the j-th number of the i-th list of L, and 0 where there is none;
    - [[:: 0x1f; -0x2a]%hexadecimal] a list of numerals, which the standard library's [Z.of_hex_int]
                    turns into integers; Coq reads many of these faster than numerals of [Z]. *)

From Coq Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect ssralg ssrnum ssrint poly matrix mxpoly mxalgebra zmodp.
From mathcomp.zify Require Import ssrZ.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** Numerals *)

Declare Scope hexadecimal_scope.
Delimit Scope hexadecimal_scope with hexadecimal.

Definition read_hexadecimal (x : Number.int) : option Hexadecimal.int :=
  if x is Number.IntHexadecimal digits then Some digits else None.
Definition show_hexadecimal (x : Hexadecimal.int) : Number.int := Number.IntHexadecimal x.

Number Notation Hexadecimal.int read_hexadecimal show_hexadecimal : hexadecimal_scope.

(** ** From the integers into a ring *)

Definition zr (R : ringType) (z : Z) : R := (int_of_Z z)%:~R.

Definition qr (R : fieldType) (q : Q) : R := zr R (Qnum q) / zr R (Zpos (Qden q)).

Section Embedding.
Variable R : numDomainType.
Local Notation zr := (zr R).

Fact zr_is_rmorphism : rmorphism zr.
Proof. exact: (rmorphismP [rmorphism of intr \o int_of_Z]). Qed.

Canonical zr_additive := Additive zr_is_rmorphism.
Canonical zr_rmorphism := RMorphism zr_is_rmorphism.

Lemma zrD x y : zr (Z.add x y) = zr x + zr y.
Proof. exact: (rmorphD zr_rmorphism). Qed.

Lemma zrM x y : zr (Z.mul x y) = zr x * zr y.
Proof. exact: (rmorphM zr_rmorphism). Qed.

Lemma zrB x y : zr (Z.sub x y) = zr x - zr y.
Proof. exact: (rmorphB zr_rmorphism). Qed.

Lemma zrN x : zr (Z.opp x) = - zr x.
Proof. exact: (rmorphN zr_rmorphism). Qed.

Lemma zr_ge0 x : (0 <= zr x) = (Z.leb 0 x).
Proof. by case: x => [|p|p] /=; rewrite /zr ?ler0z //= ler0z. Qed.

Lemma zr_le x y : (zr x <= zr y) = (Z.leb x y).
Proof.
rewrite -subr_ge0 -zrB zr_ge0.
by apply/idP/idP => /Z.leb_le h; apply/Z.leb_le; auto with zarith.
Qed.

Lemma zr_lt x y : (zr x < zr y) = (Z.ltb x y).
Proof.
rewrite -[LHS]negbK -[RHS]negbK; congr negb.
by rewrite -real_leNgt ?zr_le -?Z.leb_antisym // ; apply: realz.
Qed.

Lemma zr_abs x : zr (Z.abs x) = `|zr x|.
Proof.
have [x_ge0|x_lt0] := boolP (Z.leb 0 x).
  by rewrite Z.abs_eq ?ger0_norm ?zr_ge0 //; apply/Z.leb_le.
have /Z.lt_le_incl x_le0 : Z.lt x 0 by apply/Z.leb_gt/negbTE.
by rewrite Z.abs_neq // zrN ler0_norm // (zr_le x 0); apply/Z.leb_le.
Qed.

Lemma zr_pos p : 0 < zr (Zpos p).
Proof. by rewrite (zr_lt 0). Qed.

Lemma zr_N m : 0 <= zr (Z.of_N m).
Proof. by rewrite zr_ge0; case: m. Qed.

Lemma zr_pow2 a : zr (Z.shiftl 1 (Z.of_nat a)) = 2%:R ^+ a.
Proof.
rewrite Z.shiftl_1_l; elim: a => [//|a IHa].
by rewrite Nat2Z.inj_succ Z.pow_succ_r ?zrM ?IHa ?exprS //; apply: Nat2Z.is_nonneg.
Qed.

Lemma zr_shiftl x a : zr (Z.shiftl x (Z.of_nat a)) = zr x * 2%:R ^+ a.
Proof.
rewrite -zr_pow2 -zrM; congr zr; rewrite Z.shiftl_1_l.
by rewrite Z.shiftl_mul_pow2 //; apply: Nat2Z.is_nonneg.
Qed.

(** A right shift by s drops less than 2^s. *)
Lemma zr_shiftr x s :
  0 <= zr x - zr (Z.shiftr x (Z.of_nat s)) * 2%:R ^+ s < 2%:R ^+ s.
Proof.
have s_ge0 := Nat2Z.is_nonneg s.
rewrite Z.shiftr_div_pow2 // -zr_pow2 Z.shiftl_1_l -zrM -zrB.
have pow_gt0 : Z.lt 0 (Z.pow 2 (Z.of_nat s)) by apply: Z.pow_pos_nonneg.
rewrite Z.mul_comm -Z.mod_eq; last by apply/Z.neq_sym/Z.lt_neq.
have [lo hi] := Z.mod_pos_bound x _ pow_gt0.
by rewrite zr_ge0 zr_lt; apply/andP; split; [apply/Z.leb_le | apply/Z.ltb_lt].
Qed.

End Embedding.

(** ** Lists of integers *)

Fixpoint dotz (u v : seq Z) : Z :=
  if u is x :: u' then if v is y :: v' then Z.add (Z.mul x y) (dotz u' v') else Z0 else Z0.

Definition sumz (u : seq Z) : Z := foldr Z.add Z0 u.
Definition abssum (u : seq Z) : Z := foldr (fun x a => Z.add (Z.abs x) a) Z0 u.
Definition maxabs (u : seq Z) : Z := foldr (fun x a => Z.max (Z.abs x) a) Z0 u.
Definition entry (L : seq (seq Z)) (i j : nat) : Z := nth Z0 (nth [::] L i) j.

(** Every list of L has n numbers. *)
Definition rows_of (n : nat) (L : seq (seq Z)) : bool := all (fun u => size u == n) L.

Lemma rows_ofP n L i : rows_of n L -> (i < size L)%N -> size (nth [::] L i) = n.
Proof. by move=> /all_nthP h i_lt; apply/eqP/h. Qed.

Section Lists.
Variable R : numDomainType.
Local Notation zr := (zr R).

Lemma zr_dotz n u v : size u = n ->
  zr (dotz u v) = \sum_(i < n) zr (nth Z0 u i) * zr (nth Z0 v i).
Proof.
move=> <-; elim: u v => [|x u IHu] [|y v]; rewrite ?big_ord0 //=.
  by rewrite big1 // => i _; rewrite nth_nil mulr0.
by rewrite zrD zrM IHu big_ord_recl.
Qed.

Lemma zr_abssum n u : size u = n -> zr (abssum u) = \sum_(i < n) `|zr (nth Z0 u i)|.
Proof.
move=> <-; elim: u => [|x u IHu]; rewrite ?big_ord0 //=.
by rewrite zrD zr_abs IHu big_ord_recl.
Qed.

Lemma zr_sumz n u : size u = n -> zr (sumz u) = \sum_(i < n) zr (nth Z0 u i).
Proof.
move=> <-; elim: u => [|x u IHu]; rewrite ?big_ord0 //=.
by rewrite zrD IHu big_ord_recl.
Qed.

Lemma zr_maxabs u i : `|zr (nth Z0 u i)| <= zr (maxabs u).
Proof.
rewrite -zr_abs zr_le; apply/Z.leb_le.
elim: u i => [|x u IHu] [|i] //=; first exact: Z.le_max_l.
exact: Z.le_trans (IHu i) (Z.le_max_r _ _).
Qed.

End Lists.
