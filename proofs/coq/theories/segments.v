(** * E_p of one-dimensional ReLU networks: segmented least squares (N3)

    One hidden layer, one input: a network of p neurons is continuous and piecewise linear with at most
    p breaks. So its loss is at least that of the best p + 1 straight pieces, which dynamic programming
    finds, and E_p² is at least that.
    - [relu x]            max(0, x);
    - [net (fun=> relu) h beta]   the network of [networks], with one hidden layer h of p neurons;
    - [cell t x]          the number of breaks of the list t left of x: the piece that holds x;
    - [pieces p N]        maps from N samples to p + 1 pieces;
    - [contiguous x c]    x_i ≤ x_j implies c_i ≤ c_j: the pieces lie side by side;
    - [segmented w x y c A C]   Σ_i w_i (A_{c(i)} x_i + C_{c(i)} − y_i)², the squared error of straight
                          pieces with slopes A and offsets C. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form floor networks depth.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Definitions.
Variable R : rcfType.
Implicit Types (t : seq R) (x : R).

Definition relu x : R := Num.max 0 x.

(** The number of breaks left of x. *)
Definition cell t x : nat := count (fun s => s < x) t.

Variables (p N : nat) (w : 'rV[R]_N) (x y : 'I_N -> R).

(** The pieces lie side by side. *)
Definition contiguous (c : 'I_N -> 'I_p.+1) : Prop := forall i j, x i <= x j -> (c i <= c j)%N.

(** Σ_i w_i (A_{c(i)} x_i + C_{c(i)} − y_i)². *)
Definition segmented (c : 'I_N -> 'I_p.+1) (A C : 'I_p.+1 -> R) : R :=
  \sum_i w 0 i * (A (c i) * x i + C (c i) - y i) ^+ 2.

End Definitions.

Section Pieces.
Variable R : rcfType.
Implicit Types (t : seq R) (x : R).

Lemma cell_mono t x x' : x <= x' -> (cell t x <= cell t x')%N.
Proof. by move=> le_x; apply: sub_count => s /lt_le_trans; apply. Qed.

(** Two points of one piece have the same breaks on their left. *)
Lemma cell_same t x x' s : cell t x = cell t x' -> s \in t -> (s < x) = (s < x').
Proof.
wlog le_x : x x' / x <= x' => [wl|].
  by case: (leP x x') => [/wl//|/ltW le_x'] E st; apply/esym/(wl x' x).
elim: t => [//|r t IHt]; rewrite /cell /= inE => E.
have le_t := cell_mono t le_x; rewrite /cell in le_t.
have le_r : ((r < x)%R <= (r < x')%R)%N by case: ltP => // rx; rewrite (lt_le_trans rx le_x).
have [Er Et] : (r < x) = (r < x') /\ cell t x = cell t x'.
  move: E le_t le_r; rewrite /cell.
  case: (r < x); case: (r < x') => //= E le_t _; split=> //;
    move: E le_t; rewrite ?add0n ?add1n => E.
    1-3: first [by case: E | by rewrite E ltnn | by rewrite E].
by case/predU1P => [->|]; [exact: Er | exact: (IHt Et)].
Qed.

(** A sum of neurons that are straight on either side of their break is straight on each piece. *)
Lemma straight_pieces p (t : 'I_p -> R) (a c a' c' : 'I_p -> R) (f : 'I_p -> R -> R) :
  (forall j x, f j x = if t j < x then a j * x + c j else a' j * x + c' j) ->
  exists A C : 'I_p.+1 -> R, forall x,
    \sum_j f j x = A (inord (cell (codom t) x)) * x + C (inord (cell (codom t) x)).
Proof.
move=> fE; pose T := codom t; pose top := 1 + \sum_j `|t j|.
pose rep (k : 'I_p.+1) := if [pick j | cell T (t j) == k] is Some j then t j else top.
have below j : t j < top.
  rewrite /top (bigD1 j) //=; apply: le_lt_trans (ler_norm _) _.
  by rewrite ltr_spaddl ?ltr01 // ler_addl sumr_ge0.
have cell_le x : (cell T x < p.+1)%N.
  by rewrite ltnS -[X in (_ <= X)%N](card_ord p) -(size_codom t) count_size.
have repP x : cell T (rep (inord (cell T x))) = cell T x.
  rewrite /rep; case: pickP => [j /eqP ->|none]; first by rewrite inordK ?cell_le.
  have all_left j : t j < x.
    rewrite ltNge; apply/negP => le_j.
    case: (@arg_minP _ _ _ j (fun j => x <= t j) t le_j) => j' le_j' min_j'.
    have := none j'; rewrite inordK ?cell_le // => /negP; apply; apply/eqP.
    apply: eq_in_count => _ /codomP[i ->]; apply/idP/idP => [lt_i|/lt_le_trans]; last exact.
    by rewrite ltNge; apply/negP => /min_j'; rewrite leNgt lt_i.
  by apply: eq_in_count => _ /codomP[i ->]; rewrite all_left below.
exists (fun k => \sum_j (if t j < rep k then a j else a' j)).
exists (fun k => \sum_j (if t j < rep k then c j else c' j)) => x.
rewrite mulr_suml -big_split; apply: eq_bigr => j _; rewrite fE /=.
have -> : (t j < x) = (t j < rep (inord (cell T x))).
  by apply: (@cell_same T); [rewrite repP | apply: codom_f].
by case: ifP.
Qed.

(** ** One hidden layer of ReLU neurons *)

Lemma one_layer d L n (h : hidden R d L n) :
  match L with
  | 0%N => False
  | 1%N => exists W b, forall s (v : 'rV[R]_d), features s h v = layer (s 1%N) W b v
  | _ => True
  end.
Proof. by elim: h => [m W b|[|[|L']] k m h IHh W b] //; exists W, b. Qed.

(** A neuron max(0, a x + b) is straight on either side of one break. *)
Lemma relu_break (a b : R) : exists s a1 c1 a2 c2, forall x,
  relu (a * x + b) = if s < x then a1 * x + c1 else a2 * x + c2.
Proof.
have [->|a_neq0] := eqVneq a 0.
  by exists 0, 0, (relu b), 0, (relu b) => x; rewrite !mul0r !add0r; case: ifP.
have root x : a * x + b = a * (x - - b / a) by rewrite mulrBr [a * (_ / a)]mulrC divfK // opprK.
have [a_gt0|a_le0] := ltP 0 a.
  exists (- b / a), a, b, 0, 0 => x; rewrite mul0r add0r /relu; case: ifP => [lt_x|/negbT].
    by rewrite max_r // root mulr_ge0 ?ltW // subr_gt0.
  by rewrite -leNgt => le_x; rewrite max_l // root pmulr_rle0 // subr_le0.
have a_lt0 : a < 0 by rewrite lt_neqAle a_neq0.
exists (- b / a), 0, 0, a, b => x; rewrite mul0r add0r /relu; case: ifP => [lt_x|/negbT].
  by rewrite max_l // root nmulr_rle0 // subr_ge0 ltW.
by rewrite -leNgt => le_x; rewrite max_r // root mulr_le0 // subr_le0.
Qed.

Variables (p : nat) (h : hidden R 1 1 p) (beta : 'rV[R]_p) (b0 : R).
Let value (x : R) : R := net (fun=> @relu R) h beta (const_mx x) + b0.

Lemma neurons : exists a b : 'I_p -> R,
  forall x j, features (fun=> @relu R) h (const_mx x) 0 j = relu (a j * x + b j).
Proof.
have [W [b hE]] := one_layer h; exists (fun j => W 0 j), (fun j => b 0 j) => x j.
by rewrite hE /layer !mxE big_ord1 !mxE mulrC.
Qed.

(** N3: with one hidden ReLU layer of p neurons, one input and an output bias, the network is straight
    on each of p + 1 pieces: it has at most p breaks, the list t. *)
Theorem relu_pieces : exists (t : seq R) (A C : 'I_p.+1 -> R), size t = p /\
  forall x, value x = A (inord (cell t x)) * x + C (inord (cell t x)).
Proof.
have [a [b featE]] := neurons.
have breaks j : exists q : R * (R * R) * (R * R), forall x, relu (a j * x + b j) =
    if q.1.1 < x then q.1.2.1 * x + q.1.2.2 else q.2.1 * x + q.2.2.
  have [s [a1 [c1 [a2 [c2 E]]]]] := relu_break (a j) (b j).
  by exists (s, (a1, c1), (a2, c2)).
have [brk brkP] := fin_all_exists breaks.
have [|A [C AC]] := @straight_pieces p (fun j => (brk j).1.1)
  (fun j => beta 0 j * (brk j).1.2.1) (fun j => beta 0 j * (brk j).1.2.2)
  (fun j => beta 0 j * (brk j).2.1) (fun j => beta 0 j * (brk j).2.2)
  (fun j x => beta 0 j * relu (a j * x + b j)).
  by move=> j x; rewrite brkP; case: ifP => _; rewrite mulrDr mulrA.
exists (codom (fun j => (brk j).1.1)), A, (fun k => C k + b0); split; first by rewrite size_codom card_ord.
move=> x; rewrite /value /net addrA -AC; congr (_ + _).
by apply: eq_bigr => j _; rewrite featE.
Qed.

(** Such a network is continuous: it is Lipschitz. *)
Theorem relu_lipschitz : exists M, forall x x', `|value x - value x'| <= M * `|x - x'|.
Proof.
have [a [b featE]] := neurons; exists (\sum_j `|beta 0 j| * `|a j|) => x x'.
have -> : value x - value x' =
    \sum_j beta 0 j * (relu (a j * x + b j) - relu (a j * x' + b j)).
  rewrite /value opprD addrACA subrr addr0 /net -sumrB; apply: eq_bigr => j _.
  by rewrite !featE mulrBr.
apply: le_trans (ler_norm_sum _ _ _) _; rewrite mulr_suml; apply: ler_sum => j _.
rewrite normrM -mulrA ler_wpmul2l //.
have half u v : relu u - relu v <= `|u - v|.
  rewrite ler_subl_addr /relu le_maxl addr_ge0 ?le_maxr ?lexx //=.
  rewrite -[X in X <= _](subrK v) ler_add ?ler_norm // le_maxr lexx orbT //.
apply: le_trans (_ : `|(a j * x + b j) - (a j * x' + b j)| <= _).
  by rewrite ler_norml half andbT ler_oppl opprB distrC half.
by rewrite opprD addrACA subrr addr0 -mulrBr normrM.
Qed.

(** N3: what is at most the squared error of every p + 1 straight pieces side by side is at most that of
    every network of p ReLU neurons: the segmented least squares D_p² are at most E_p². *)
Theorem segments_below N (w : 'rV[R]_N) (x y : 'I_N -> R) e :
  (forall (c : 'I_N -> 'I_p.+1) A C, contiguous x c -> e <= segmented w x y c A C) ->
  e <= \sum_i w 0 i * (value (x i) - y i) ^+ 2.
Proof.
move=> le_e; have [t [A [C [sz pieces]]]] := relu_pieces.
have := le_e (fun i => inord (cell t (x i))) A C; rewrite /segmented.
under eq_bigr do rewrite -pieces.
apply=> i j le_ij; rewrite !inordK ?cell_mono // ltnS -sz count_size //.
Qed.

End Pieces.
