(** * The a-priori floor for networks with k outputs

    The network is u = φ W, with W of size n × k; its outputs are u_l = Σ_j W_jl φ_j.
    - [output phi W l]   u_l;   [loss B phi W ustar]  ‖φ W − u*‖ = √Σ_l ‖u_l − u*_l‖²;
    - [frob W]           ‖W‖_F, and [frob2 W] its square;
    - [col l W]          column l of W, the weights of output l;
    - [nrmk B v]         √Σ_l ‖v_l‖², the norm of k functions;
    - [netk sigma h W x] the k outputs φ(x) W of a network, a row vector;
    - [in_classk … L p v]         on X, (v_1, …, v_k) are the outputs of one network of L hidden
                         layers, the last of p neurons;
    - [below_classk … L p ustar e]  e ≤ √Σ_l ‖v_l − u*_l‖² for all v in that class: e ≤ E_p. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral selection floor outputs networks.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Product.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V) (k : nat).

Definition nrmk (v : 'I_k -> V) : R := Num.sqrt (\sum_l nrm2 B (v l)).

Lemma nrmkE (v : 'I_k -> V) : nrmk v = nrm (power_form B k) (finfun v).
Proof. by congr Num.sqrt; apply: eq_bigr => l _; rewrite ffunE. Qed.

(** The triangle inequality for k functions. *)
Lemma nrmkD (u v : 'I_k -> V) : nrmk (fun l => u l + v l) <= nrmk u + nrmk v.
Proof.
rewrite !nrmkE (_ : finfun _ = finfun u + finfun v) ?nrmD //.
by apply/ffunP => l; rewrite !ffunE.
Qed.

End Product.

Section Classes.
Variables (R : rcfType) (d : nat) (sigma : nat -> R -> R).
Variables (V : lmodType R) (B : preHilbert V) (X : Type) (pt : X -> 'rV[R]_d).
Variable ev : V -> X -> R.
Hypothesis ev_linear : forall a u v x, ev (a *: u + v) x = a * ev u x + ev v x.
Variable k : nat.
Implicit Types (v ustar : 'I_k -> V).

Definition netk L n (h : hidden R d L n) (W : 'M[R]_(n, k)) (x : 'rV[R]_d) : 'rV[R]_k :=
  features sigma h x *m W.

Definition in_classk L p v : Prop :=
  exists (h : hidden R d L p) (C : 'M[R]_(p, k)), forall l x, ev (v l) x = netk h C (pt x) 0 l.

Definition below_classk L p ustar (e : R) : Prop :=
  forall v, in_classk L p v -> e <= nrmk B (fun l => v l - ustar l).

(** Output l of the network with output matrix W is the scalar network with weights column l. *)
Lemma netk_col L n (h : hidden R d L n) W x l : netk h W x 0 l = net sigma h (col l W)^T x.
Proof. by rewrite mxE; apply: eq_bigr => j _; rewrite !mxE mulrC. Qed.

(** Combinations of p chosen neurons of a network are in the class of p neurons. *)
Theorem selected_in_classk L n p (h : hidden R d L n) (phi : 'I_n -> V) (f : 'I_p -> 'I_n)
    (C : 'M[R]_(p, k)) :
  (forall j x, ev (phi j) x = features sigma h (pt x) 0 j) ->
  in_classk L p (fun l => comb (fun i => phi (f i)) (col l C)^T).
Proof.
move=> phiE; exists (rewire h 0 (fun i => Some (f i))), C => l x; rewrite netk_col.
by apply: comb_net => // i y; rewrite features_select phiE.
Qed.

(** With more neurons, more networks. *)
Theorem classk_monotone L p q v : (p <= q)%N -> in_classk L p v -> in_classk L q v.
Proof.
move=> le_pq [h [C vE]]; exists (rewire h 0 (fun j : 'I_q => insub (val j))).
exists (\matrix_(j, l) oapp (fun i : 'I_p => C i l) 0 (insub (val j))) => l x.
have := net_widen sigma h (col l C)^T 0 0 (pt x) le_pq.
rewrite mul0r mul0rn addr0 -netk_col -vE => <-; rewrite netk_col.
apply: eq_bigr => j _; rewrite !mxE; congr (_ * _).
by case: (insub _) => //= i; rewrite !mxE.
Qed.

(** E_p is non-increasing in p for k outputs too. *)
Theorem ep_decreases_outputs L p q ustar e :
  (p <= q)%N -> below_classk L q ustar e -> below_classk L p ustar e.
Proof. by move=> le_pq le_e v /(classk_monotone le_pq); apply: le_e. Qed.

Section Floor.
Variables (L n : nat) (h : hidden R d L n) (phi : 'I_n -> V).
Hypothesis phiE : forall j x, ev (phi j) x = features sigma h (pt x) 0 j.
Local Notation G := (gram B phi).

(** If p of the neurons represent φ W up to K ‖W‖_F², then √Σ_l ‖u_l − u*_l‖² ≥ E_p − √K ‖W‖_F. *)
Lemma floor_of_selectionk p (f : 'I_p -> 'I_n) K (W : 'M[R]_(n, k)) ustar e :
  0 <= K ->
  (exists C : 'M[R]_(p, k),
    \sum_l nrm2 B (comb phi (col l W)^T - comb (fun i => phi (f i)) (col l C)^T) <= K * frob2 W) ->
  below_classk L p ustar e ->
  e - Num.sqrt K * frob W <= loss B phi W ustar.
Proof.
move=> K0 [C le_C] le_e; have := le_e _ (selected_in_classk f C phiE).
set v := fun l => _; rewrite ler_subl_addr => le_v; apply: le_trans le_v _.
apply: le_trans (_ : nrmk B (fun l => (comb phi (col l W)^T - ustar l) +
    (comb (fun i => phi (f i)) (col l C)^T - comb phi (col l W)^T)) <= _).
  rewrite le_eqVlt; apply/orP; left; apply/eqP; congr Num.sqrt; apply: eq_bigr => l _.
  by rewrite addrC addrA subrK.
apply: le_trans (nrmkD _ _ _) _; rewrite ler_add2l -sqrtrM // ler_wsqrtr //.
by under eq_bigr do rewrite -nrm2N opprB.
Qed.

(** For every p ≤ n: √Σ_l ‖u_l − u*_l‖² ≥ E_p − √((1 + p (n − p)) λ_{p+1}) ‖W‖_F. *)
Theorem apriori_floor_tail_outputs p (W : 'M[R]_(n, k)) ustar e :
  (p <= n)%N -> below_classk L p ustar e ->
  e - Num.sqrt ((1 + (p * (n - p))%:R) * eigval G p) * frob W
    <= loss B phi W ustar.
Proof.
move=> /(neuron_selection_outputs B phi k)[f _ /(_ W)]; apply: floor_of_selectionk.
by rewrite mulr_ge0 ?eigval_gram_ge0 // addr_ge0 ?ler01 ?ler0n.
Qed.

(** N2 for k outputs: if the network u = φ W has ε-rank r_ε = p, then
    √Σ_l ‖u_l − u*_l‖² ≥ E_p − √((1 + p (n − p)) ε) ‖W‖_F. *)
Theorem apriori_floor_outputs eps p (W : 'M[R]_(n, k)) ustar e :
  0 <= eps -> epsrank G eps = p -> below_classk L p ustar e ->
  e - Num.sqrt ((1 + (p * (n - p))%:R) * eps) * frob W
    <= loss B phi W ustar.
Proof.
move=> eps0 <-; have [f _ /(_ W)] := neuron_selection_epsrank_outputs B phi k eps0.
by apply: floor_of_selectionk; rewrite mulr_ge0 // addr_ge0 ?ler01 ?ler0n.
Qed.

(** N2 for k outputs of a stable problem: with ‖v − u*‖ ≤ C_S ‖𝒢 v − 𝒢 u*‖ for the networks v of
    the same depth with n neurons in the last hidden layer, and 𝒢 u* = g,
    ‖𝒢 u − g‖ ≥ C_S⁻¹ (E_p − √((1 + p (n − p)) ε) ‖W‖_F). *)
Theorem apriori_floor_stable_outputs (H : lmodType R) (BH : preHilbert H) (op : ('I_k -> V) -> H)
    (g : H) CS eps p (W : 'M[R]_(n, k)) ustar e :
  0 <= eps -> epsrank G eps = p -> below_classk L p ustar e ->
  op ustar = g -> 0 < CS ->
  (forall v, in_classk L n v ->
     nrmk B (fun l => v l - ustar l) <= CS * nrm BH (op v - op ustar)) ->
  CS^-1 * (e - Num.sqrt ((1 + (p * (n - p))%:R) * eps) * frob W)
    <= nrm BH (op (output phi W) - g).
Proof.
move=> eps0 rp le_e <- CS0 stable; rewrite mulrC ler_pdivr_mulr // [_ * CS]mulrC.
apply: le_trans (apriori_floor_outputs W eps0 rp le_e) _.
by apply: stable; apply: (selected_in_classk id) phiE.
Qed.

End Floor.
End Classes.

(** N2 for k outputs on a finite data set: points x_i, targets Y_i and weights w_i ≥ 0, features
    Φ_ij = φ_j(x_i), Gram matrix G = Φᵀ diag(w) Φ of ε-rank p, and e at most the loss
    √Σ_i w_i |v(x_i) − Y_i|² of every network v of the same depth with p neurons in its last hidden
    layer: then u = φ W has √Σ_i w_i |u(x_i) − Y_i|² ≥ e − √((1 + p (n − p)) ε) ‖W‖_F. *)
Theorem apriori_floor_data_outputs (R : rcfType) (sigma : nat -> R -> R) d N k
    (x : 'I_N -> 'rV[R]_d) (w : 'rV[R]_N) (Y : 'M[R]_(N, k))
    L n (h : hidden R d L n) (W : 'M[R]_(n, k)) eps p e :
  (forall i, 0 <= w 0 i) ->
  let Phi := \matrix_(i < N, j < n) features sigma h (x i) 0 j in
  0 <= eps -> epsrank (Phi^T *m diag_mx w *m Phi) eps = p ->
  (forall (h' : hidden R d L p) (C : 'M[R]_(p, k)),
     e <= Num.sqrt (\sum_i w 0 i * sqn (netk sigma h' C (x i) - row i Y))) ->
  e - Num.sqrt ((1 + (p * (n - p))%:R) * eps) * frob W
    <= Num.sqrt (\sum_i w 0 i * sqn (netk sigma h W (x i) - row i Y)).
Proof.
move=> w0 Phi eps0; rewrite -(gram_data w0) => rp le_e.
pose ev (v : 'cV[R]_N) i := v i 0; pose ystar l := col l Y.
have ev_linear a u v i : ev (a *: u + v) i = a * ev u i + ev v i by rewrite /ev !mxE.
have phiE j i : ev (col j Phi) i = features sigma h (x i) 0 j by rewrite /ev !mxE.
have lossE v (F : 'I_N -> 'rV[R]_k) : (forall l i, ev (v l) i = F i 0 l) ->
  nrmk (data_form w0) (fun l => v l - ystar l)
    = Num.sqrt (\sum_i w 0 i * sqn (F i - row i Y)).
  move=> vE; congr Num.sqrt; rewrite exchange_big; apply: eq_bigr => i _.
  rewrite sqnE mulr_sumr; apply: eq_bigr => l _.
  by rewrite !mxE -/(ev (v l) i) vE expr2.
rewrite -(lossE (fun l => comb (fun j => col j Phi) (col l W)^T)) => [|l i]; last first.
  by rewrite netk_col; apply: (comb_net ev_linear).
apply: (apriori_floor_outputs ev_linear phiE) => // v [h' [C vE]].
by rewrite (lossE _ _ vE).
Qed.
