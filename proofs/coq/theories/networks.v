(** * From ε-rank to network classes: the a-priori floor

    Networks have inputs in R^d, L ≥ 1 hidden layers of any widths, and an activation [sigma l] for
    layer l = 1, …, L, which may be any function R → R (the same for all layers, or not).
    - [layer s W b x]    one layer: s applied entrywise to x W + b;
    - [hidden d L n]     the weights and biases of L hidden layers, the last of n neurons: either
                         one layer, [First W b], or a layer after others, [Next h W b];
    - [features sigma h x]     the outputs φ_1(x), …, φ_n(x) of the last hidden layer;
    - [net sigma h beta x]     the network Σ_j β_j φ_j(x), without output bias. An output bias is a
                         constant feature, so it costs one neuron more: see [bias_in_class];
    - [V], [B], [ev]     a space of functions with a form, as L²(μ): [ev v x] is the value of v at
                         x, for x in the domain [X], whose points are vectors [pt x] of R^d;
                         X may be all of R^d, a region, or finitely many data;
    - [enorm beta]       ‖β‖;
    - [in_class … L p v] v ∈ F_p: on X, v is a network of L hidden layers, the last of p neurons,
                         the others of any widths;
    - [below_class … L p ustar e]  e ≤ ‖v − u*‖ for all v ∈ F_p, that is, e ≤ E_p;
    - [is_distance … L p ustar e]  e = E_p = inf {‖v − u*‖ : v ∈ F_p}, the greatest such number
                         (over an arbitrary R it need not exist, and no theorem needs it). *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral selection floor.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** Multilayer networks *)

Section Networks.
Variables (R : rcfType) (d : nat).

Definition layer (s : R -> R) m n (W : 'M[R]_(m, n)) (b : 'rV[R]_n) (x : 'rV[R]_m) : 'rV[R]_n :=
  map_mx s (x *m W + b).

Inductive hidden : nat -> nat -> Type :=
| First n of 'M[R]_(d, n) & 'rV[R]_n : hidden 1 n
| Next L m n of hidden L m & 'M[R]_(m, n) & 'rV[R]_n : hidden L.+1 n.

Variable sigma : nat -> R -> R.

Fixpoint features L n (h : hidden L n) (x : 'rV[R]_d) : 'rV[R]_n :=
  match h with
  | First _ W b => layer (sigma 1) W b x
  | Next L' _ _ h' W b => layer (sigma L'.+1) W b (features h' x)
  end.

Definition net L n (h : hidden L n) (beta : 'rV[R]_n) (x : 'rV[R]_d) : R :=
  \sum_j beta 0 j * features h x 0 j.

(** The last layer rebuilt: neuron j is a copy of neuron g(j), or, where g(j) is none, a neuron of
    zero weights and bias t. *)
Definition rewire L m n (h : hidden L m) (t : R) : ('I_n -> option 'I_m) -> hidden L n :=
  match h in hidden L m return ('I_n -> option 'I_m) -> hidden L n with
  | First _ W b => fun g =>
      First (\matrix_(i, j) oapp (W i) 0 (g j)) (\row_j oapp (b 0) t (g j))
  | Next _ _ _ h' W b => fun g =>
      Next h' (\matrix_(i, j) oapp (W i) 0 (g j)) (\row_j oapp (b 0) t (g j))
  end.

Lemma features_rewire L m n (h : hidden L m) t (g : 'I_n -> option 'I_m) x j :
  features (rewire h t g) x 0 j = oapp (fun i => features h x 0 i) (sigma L t) (g j).
Proof.
case: h g => [m' W b|L' k m' h W b] g /=; rewrite !mxE; under eq_bigr do rewrite mxE;
  case: (g j) => [i|] /=; rewrite ?mxE //; by rewrite big1 ?add0r // => l _; rewrite mulr0.
Qed.

(** Choosing neurons of the last layer leaves a network of the same depth. *)
Lemma features_select L n p (h : hidden L n) (f : 'I_p -> 'I_n) x i :
  features (rewire h 0 (fun i => Some (f i))) x 0 i = features h x 0 (f i).
Proof. exact: features_rewire. Qed.

(** Adding q − p neurons of zero weights, bias t and output weight a adds a constant. *)
Lemma net_widen L p q (h : hidden L p) (c : 'rV[R]_p) t a x :
  (p <= q)%N ->
  net (rewire h t (fun j : 'I_q => insub (val j))) (\row_j oapp (c 0) a (insub (val j))) x
    = net h c x + a * sigma L t *+ (q - p).
Proof.
move=> le_pq; rewrite /net (bigID (fun j : 'I_q => (j < p)%N)) /=; congr (_ + _).
  rewrite big_ord_narrow; apply: eq_bigr => i _.
  rewrite features_rewire mxE /= (insubT (fun k => (k < p)%N) (ltn_ord i)) /=.
  by congr (c 0 _ * features h x 0 _); apply: val_inj.
rewrite (eq_bigr (fun _ => a * sigma L t)) => [|j ge_jp]; last first.
  by rewrite features_rewire mxE insubN.
rewrite sumr_const; congr (_ *+ _).
have E : #|[pred j : 'I_q | (j < p)%N]| = p.
  by rewrite -sum1_card -[RHS]card_ord -sum1_card; apply: big_ord_narrow le_pq.
by have := cardC [pred j : 'I_q | (j < p)%N]; rewrite card_ord E => /(canRL (addKn _)).
Qed.

End Networks.

(** ** The classes F_p *)

Section Classes.
Variables (R : rcfType) (d : nat) (sigma : nat -> R -> R).
Variables (V : lmodType R) (B : preHilbert V) (X : Type) (pt : X -> 'rV[R]_d).
Variable ev : V -> X -> R.
Hypothesis ev_linear : forall a u v x, ev (a *: u + v) x = a * ev u x + ev v x.

Definition in_class L p (v : V) : Prop :=
  exists (h : hidden R d L p) (c : 'rV[R]_p), forall x, ev v x = net sigma h c (pt x).

Definition below_class L p (ustar : V) (e : R) : Prop :=
  forall v, in_class L p v -> e <= nrm B (v - ustar).

Definition is_distance L p (ustar : V) (e : R) : Prop :=
  below_class L p ustar e /\ forall e', below_class L p ustar e' -> e' <= e.

Lemma ev_comb n (phi : 'I_n -> V) (c : 'rV[R]_n) x :
  ev (comb phi c) x = \sum_j c 0 j * ev (phi j) x.
Proof.
have ev0 : ev 0 x = 0.
  by have := ev_linear (-1) 0 0 x; rewrite scaler0 addr0 mulN1r addNr.
rewrite /comb; elim/big_rec2: _ => [//|j y v _ <-]; exact: ev_linear.
Qed.

(** If φ_j ∈ V are the neurons of a network, then φ·β ∈ V is that network with output weights β. *)
Lemma comb_net L n (h : hidden R d L n) (phi : 'I_n -> V) beta x :
  (forall j x, ev (phi j) x = features sigma h (pt x) 0 j) ->
  ev (comb phi beta) x = net sigma h beta (pt x).
Proof. by move=> phiE; rewrite ev_comb; apply: eq_bigr => j _; rewrite phiE. Qed.

(** A combination of p chosen neurons of a network is in F_p. *)
Theorem selected_in_class L n p (h : hidden R d L n) (phi : 'I_n -> V) (f : 'I_p -> 'I_n) c :
  (forall j x, ev (phi j) x = features sigma h (pt x) 0 j) ->
  in_class L p (comb (fun i => phi (f i)) c).
Proof.
move=> phiE; exists (rewire h 0 (fun i => Some (f i))), c => x.
by apply: comb_net => i y; rewrite features_select phiE.
Qed.

(** F_p ⊆ F_q for p ≤ q. *)
Theorem class_monotone L p q v : (p <= q)%N -> in_class L p v -> in_class L q v.
Proof.
move=> le_pq [h [c vE]].
exists (rewire h 0 (fun j : 'I_q => insub (val j))), (\row_j oapp (c 0) 0 (insub (val j))) => x.
by rewrite net_widen // mul0r mul0rn addr0 vE.
Qed.

(** An output bias b is one more neuron: v ∈ F_p implies v + b ∈ F_{p+1}, unless the last
    activation vanishes everywhere. *)
Theorem bias_in_class L p v w b :
  (exists t, sigma L t != 0) -> in_class L p v ->
  (forall x, ev w x = ev v x + b) -> in_class L p.+1 w.
Proof.
move=> [t t0] [h [c vE]] wE.
exists (rewire h t (fun j : 'I_p.+1 => insub (val j))).
exists (\row_j oapp (c 0) (b / sigma L t) (insub (val j))) => x.
by rewrite net_widen // divfK // subSnn wE vE.
Qed.

(** Every lower bound of the distances from u* to F_q bounds those to F_p, for p ≤ q: E_p is
    non-increasing in p, the draft's "negative correlation" of loss and ε-rank. *)
Theorem ep_decreases L p q ustar e :
  (p <= q)%N -> below_class L q ustar e -> below_class L p ustar e.
Proof. by move=> le_pq le_e v /(class_monotone le_pq); apply: le_e. Qed.

(** The same for E_p and E_q themselves, when they exist: E_q ≤ E_p for p ≤ q; and so the floor
    E_p − t is non-increasing in p for a given tail t. *)
Theorem floor_decreases L p q ustar Ep Eq t :
  (p <= q)%N -> is_distance L p ustar Ep -> is_distance L q ustar Eq -> Eq - t <= Ep - t.
Proof.
move=> le_pq [_ Ep_max] [le_Eq _]; rewrite ler_add2r.
by apply: Ep_max; apply: ep_decreases le_Eq.
Qed.

(** ** N2: the a-priori floor *)

Section Floor.
Variables (L n : nat) (h : hidden R d L n) (phi : 'I_n -> V).
Hypothesis phiE : forall j x, ev (phi j) x = features sigma h (pt x) 0 j.
Implicit Types (beta : 'rV[R]_n) (ustar : V).
Local Notation G := (gram B phi).

(** If p of the neurons represent φ·β up to K ‖β‖², then ‖φ·β − u*‖ ≥ E_p − √K ‖β‖. *)
Lemma floor_of_selection p (f : 'I_p -> 'I_n) K beta ustar e :
  0 <= K ->
  (exists c, nrm2 B (comb phi beta - comb (fun i => phi (f i)) c) <= K * sqn beta) ->
  below_class L p ustar e ->
  e - Num.sqrt K * enorm beta <= nrm B (comb phi beta - ustar).
Proof.
move=> K0 [c le_c] le_e; have := le_e _ (selected_in_class f c phiE).
set v := comb _ c in le_c *; rewrite ler_subl_addr => le_v; apply: le_trans le_v _.
rewrite -(subrK (comb phi beta) v) -addrA addrC; apply: le_trans (nrmD _ _ _) _.
by rewrite ler_add2l -sqrtrM // -nrmN opprB ler_wsqrtr.
Qed.

(** For every p ≤ n: ‖u − u*‖ ≥ E_p − √((1 + p (n − p)) λ_{p+1}) ‖β‖. *)
Theorem apriori_floor_tail p beta ustar e :
  (p <= n)%N -> below_class L p ustar e ->
  e - Num.sqrt ((1 + (p * (n - p))%:R) * eigval G p) * enorm beta
    <= nrm B (comb phi beta - ustar).
Proof.
move=> /(neuron_selection B phi)[f _ /(_ beta)]; apply: floor_of_selection.
by rewrite mulr_ge0 ?eigval_gram_ge0 // addr_ge0 ?ler01 ?ler0n.
Qed.

(** N2, the theorem of the paper: if the network u = φ·β has ε-rank r_ε = p, then
    ‖u − u*‖ ≥ E_p − √((1 + p (n − p)) ε) ‖β‖. *)
Theorem apriori_floor eps p beta ustar e :
  0 <= eps -> epsrank G eps = p -> below_class L p ustar e ->
  e - Num.sqrt ((1 + (p * (n - p))%:R) * eps) * enorm beta
    <= nrm B (comb phi beta - ustar).
Proof.
move=> eps0 <-; have [f _ /(_ beta)] := neuron_selection_epsrank B phi eps0.
by apply: floor_of_selection; rewrite mulr_ge0 // addr_ge0 ?ler01 ?ler0n.
Qed.

(** At full ε-rank, p = n, nothing is subtracted: u is in F_n, so ‖u − u*‖ ≥ E_n. *)
Theorem apriori_floor_full beta ustar e :
  below_class L n ustar e -> e <= nrm B (comb phi beta - ustar).
Proof. by apply; apply: (selected_in_class id) phiE. Qed.

(** N2 with the draft's weaker constant: ‖u − u*‖ ≥ E_p − √((p + 1)(n − p)² ε) ‖β‖. *)
Theorem apriori_floor_draft eps p beta ustar e :
  0 <= eps -> epsrank G eps = p -> below_class L p ustar e ->
  e - Num.sqrt (((p + 1) * (n - p) ^ 2)%:R * eps) * enorm beta
    <= nrm B (comb phi beta - ustar).
Proof.
move=> eps0 <-; have [f _ /(_ beta)] := neuron_selection_draft_epsrank B phi eps0.
by apply: floor_of_selection; rewrite mulr_ge0 ?ler0n.
Qed.

(** N2 for a stable problem 𝒢 u* = g: if ‖v − u*‖ ≤ C_S ‖𝒢 v − 𝒢 u*‖ for the networks v of the
    same depth with n neurons in the last hidden layer, then the loss L(u) = ‖𝒢 u − g‖² satisfies
    √L(u) ≥ C_S⁻¹ (E_p − √((1 + p (n − p)) ε) ‖β‖). The map 𝒢 need not be linear. *)
Theorem apriori_floor_stable (H : lmodType R) (BH : preHilbert H) (op : V -> H) (g : H) CS
    eps p beta ustar e :
  0 <= eps -> epsrank G eps = p -> below_class L p ustar e ->
  op ustar = g -> 0 < CS ->
  (forall v, in_class L n v -> nrm B (v - ustar) <= CS * nrm BH (op v - op ustar)) ->
  CS^-1 * (e - Num.sqrt ((1 + (p * (n - p))%:R) * eps) * enorm beta)
    <= nrm BH (op (comb phi beta) - g).
Proof.
move=> eps0 rp le_e <- CS0 stable; rewrite mulrC ler_pdivr_mulr // [_ * CS]mulrC.
apply: le_trans (apriori_floor beta eps0 rp le_e) _.
by apply: stable; apply: (selected_in_class id) phiE.
Qed.

End Floor.
End Classes.

(** ** N2 on a finite data set *)

(** For points x_i, targets y_i and weights w_i ≥ 0, with features Φ_ij = φ_j(x_i), Gram matrix
    G = Φᵀ diag(w) Φ of ε-rank p, and e at most the loss √Σ_i w_i (v(x_i) − y_i)² of every network v
    of the same depth with p neurons in its last hidden layer: the network u = φ·β has
    √Σ_i w_i (u(x_i) − y_i)² ≥ e − √((1 + p (n − p)) ε) ‖β‖. *)
Theorem apriori_floor_data (R : rcfType) (sigma : nat -> R -> R) d N (x : 'I_N -> 'rV[R]_d)
    (w : 'rV[R]_N) (y : 'I_N -> R) L n (h : hidden R d L n) (beta : 'rV[R]_n) eps p e :
  (forall i, 0 <= w 0 i) ->
  let Phi := \matrix_(i < N, j < n) features sigma h (x i) 0 j in
  0 <= eps -> epsrank (Phi^T *m diag_mx w *m Phi) eps = p ->
  (forall (h' : hidden R d L p) (c : 'rV[R]_p),
     e <= Num.sqrt (\sum_i w 0 i * (net sigma h' c (x i) - y i) ^+ 2)) ->
  e - Num.sqrt ((1 + (p * (n - p))%:R) * eps) * enorm beta
    <= Num.sqrt (\sum_i w 0 i * (net sigma h beta (x i) - y i) ^+ 2).
Proof.
move=> w0 Phi eps0; rewrite -(gram_data w0) => rp le_e.
pose ev (v : 'cV[R]_N) i := v i 0; pose ystar := \col_i y i.
have ev_linear a u v i : ev (a *: u + v) i = a * ev u i + ev v i by rewrite /ev !mxE.
have phiE j i : ev (col j Phi) i = features sigma h (x i) 0 j by rewrite /ev !mxE.
have lossE v (F : 'I_N -> R) : (forall i, ev v i = F i) ->
  nrm (data_form w0) (v - ystar) = Num.sqrt (\sum_i w 0 i * (F i - y i) ^+ 2).
  by move=> vE; congr Num.sqrt; apply: eq_bigr => i _; rewrite !mxE -/(ev v i) vE expr2.
rewrite -(lossE _ _ (comb_net ev_linear _ ^~ phiE)).
apply: (apriori_floor ev_linear phiE) => // v [h' [c vE]].
by rewrite (lossE _ _ vE).
Qed.
