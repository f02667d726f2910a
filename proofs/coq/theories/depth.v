(** * At depth two and more the a-priori floor with free heads does not decrease with p

    One last neuron in its linear range imitates any shallower network. So E_p of the deeper class is,
    for every p ≥ 1, at most the error of every network one layer shallower, of whatever width.
    - [linear_range s]   K s(z/K) is as near to z as one likes on any bounded range, for some K: so it
                         is for tanh, sin, erf(√π z/2) and any s with |s(z) − z| ≤ c z²;
    - [net sigma h beta x]   the network Σ_j β_j φ_j(x) of [networks];
    - [data_loss w x y v]    √Σ_i w_i (v(x_i) − y_i)², the root loss of a function v. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form floor networks.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** For all M and t > 0 there is K with |K s(z/K) − z| ≤ t for |z| ≤ M. *)
Definition linear_range (R : rcfType) (s : R -> R) : Prop :=
  forall M t, 0 < t -> exists K, forall z, `|z| <= M -> `|K * s (z / K) - z| <= t.

(** √Σ_i w_i (v(x_i) − y_i)². *)
Definition data_loss (R : rcfType) d N (w : 'rV[R]_N) (x : 'I_N -> 'rV[R]_d) (y : 'I_N -> R)
    (v : 'rV[R]_d -> R) : R :=
  Num.sqrt (\sum_i w 0 i * (v (x i) - y i) ^+ 2).

(** A function with |s(z) − z| ≤ c z² has a linear range. *)
Theorem quadratic_linear_range (R : rcfType) (s : R -> R) c :
  (forall z, `|s z - z| <= c * z ^+ 2) -> linear_range s.
Proof.
move=> near M t t0; have c0 : 0 <= c.
  by have := near 1; rewrite expr1n mulr1; apply: le_trans.
pose K := c * M ^+ 2 / t + 1.
have K0 : 0 < K by rewrite ltr_spaddr ?ltr01 // divr_ge0 ?(ltW t0) // mulr_ge0 ?sqr_ge0.
have Kn : K != 0 by rewrite gt_eqF.
exists K => z le_z; have -> : K * s (z / K) - z = K * (s (z / K) - z / K).
  by rewrite mulrBr [K * (z / K)]mulrC divfK.
rewrite normrM (gtr0_norm K0); apply: le_trans (ler_wpmul2l (ltW K0) (near _)) _.
have -> : K * (c * (z / K) ^+ 2) = c * z ^+ 2 / K.
  by rewrite mulrCA [_ ^+ 2]expr2 [K * _]mulrA [K * _]mulrC divfK // [z ^+ 2]expr2 !mulrA.
rewrite ler_pdivr_mulr // /K mulrDr mulr1 [t * _]mulrC divfK ?gt_eqF //.
apply: le_trans (_ : c * M ^+ 2 <= _); last by rewrite ler_addl ltW.
rewrite ler_wpmul2l // -real_normK ?num_real // ler_expn2r ?nnegrE //.
exact: le_trans le_z.
Qed.

Section Depth.
Variables (R : rcfType) (d : nat) (sigma : nat -> R -> R) (L : nat).
Hypothesis linear_last : linear_range (sigma L.+1).
Variables (N : nat) (x : 'I_N -> 'rV[R]_d) (w : 'rV[R]_N) (y : 'I_N -> R).
Hypothesis w_ge0 : forall i, 0 <= w 0 i.

(** One last neuron imitates: for every network of L hidden layers, output bias b included, and every
    t > 0 there is one of L + 1 hidden layers, the last of a single neuron, within t of it at all x_i. *)
Theorem one_neuron_imitates n (h : hidden R d L n) (beta : 'rV[R]_n) b t : 0 < t ->
  exists (h' : hidden R d L.+1 1) (c : 'rV[R]_1),
    forall i, `|net sigma h' c (x i) - (net sigma h beta (x i) + b)| <= t.
Proof.
move=> t0; pose v i := net sigma h beta (x i) + b.
have [K near] := linear_last (\sum_i `|v i|) t0.
exists (Next h (\matrix_(j, l) (beta 0 j / K)) (const_mx (b / K))), (const_mx K) => i.
rewrite /net big_ord1 /= /layer !mxE.
have -> : \sum_j features sigma h (x i) 0 j * (\matrix_(j, l) (beta 0 j / K) : 'M_(n, 1)) j 0 + b / K
    = v i / K.
  rewrite /v /net mulrDl mulr_suml; congr (_ + _); apply: eq_bigr => j _.
  by rewrite mxE [X in _ = X / K]mulrC mulrA.
apply: near; rewrite (bigD1 i) //= ler_addl.
by apply: sumr_ge0 => *; apply: normr_ge0.
Qed.

(** At depth L + 1 and with free heads, whatever is at most E_p for some p ≥ 1 is at most the loss of
    every network of depth L, of any width, output bias included: E_p(L + 1) ≤ inf_m E_m(L). So the
    floor of N2 for the deeper class cannot fall between p = 1 and p = m by more than what the
    shallower class leaves. *)
Theorem apriori_depth p e : (0 < p)%N ->
  (forall (h' : hidden R d L.+1 p) c, e <= data_loss w x y (net sigma h' c)) ->
  forall n (h : hidden R d L n) beta b, e <= data_loss w x y (fun z => net sigma h beta z + b).
Proof.
move=> p0 le_e n h beta b; pose u : 'cV[R]_N := \col_i (net sigma h beta (x i) + b).
pose F := data_form w_ge0; pose ys : 'cV[R]_N := \col_i y i.
have lossE (v : 'rV[R]_d -> R) : data_loss w x y v = nrm F ((\col_i v (x i)) - ys).
  by congr Num.sqrt; apply: eq_bigr => i _; rewrite !mxE expr2.
pose m := Num.sqrt (\sum_i w 0 i); have m0 : 0 <= m by exact: sqrtr_ge0.
rewrite leNgt; apply/negP => lt_e; set l := data_loss w x y _ in lt_e.
have gap : 0 < e - l by rewrite subr_gt0.
have t0 : 0 < (e - l) / (m + 1) by rewrite divr_gt0 // ltr_spaddr ?ltr01.
have [h' [c near]] := one_neuron_imitates h beta b t0.
have := le_e (rewire h' 0 (fun j : 'I_p => insub (val j))) (\row_j oapp (c 0) 0 (insub (val j))).
have -> : data_loss w x y (net sigma (rewire h' 0 (fun j : 'I_p => insub (val j)))
    (\row_j oapp (c 0) 0 (insub (val j)))) = data_loss w x y (net sigma h' c).
  congr Num.sqrt; apply: eq_bigr => i _.
  by rewrite net_widen // mul0r mul0rn addr0.
apply/negP; rewrite -ltNge.
have le_l : data_loss w x y (net sigma h' c) <= l + (e - l) / (m + 1) * m.
  have lE : l = nrm F (u - ys) := lossE _.
  rewrite lossE [X in _ <= X + _]lE; set u' := \col_i net sigma h' c (x i).
  rewrite -[u' - ys](subrKA u) addrC; apply: le_trans (nrmD F _ _) _; rewrite ler_add2l.
  set t := (e - l) / (m + 1) in t0 near *.
  apply: le_trans (_ : Num.sqrt (t ^+ 2 * \sum_i w 0 i) <= _); last first.
    by rewrite sqrtrM ?sqr_ge0 // sqrtr_sqr gtr0_norm.
  apply: ler_wsqrtr; rewrite mulr_sumr; apply: ler_sum => i _.
  rewrite mulrC -expr2 ler_wpmul2r // !mxE -real_normK ?num_real // ler_expn2r ?nnegrE ?(ltW t0) //.
apply: le_lt_trans le_l _; rewrite -ltr_subr_addl -mulrA gtr_pmulr //.
by rewrite mulrC ltr_pdivr_mulr ?mul1r ?ltr_addl ?ltr01 // ltr_spaddr ?ltr01.
Qed.

End Depth.
