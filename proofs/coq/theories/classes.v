(** * The a-priori floor of every class closed under choosing last-layer neurons (N2)

    N2 touches the last hidden layer alone. What it asks of the class is that p of the n neurons of a
    member are again the last layer of a member, and that heads are free, up to their norm.
    - [C n phi]            the neurons φ_1, …, φ_n ∈ V are the last hidden layer of a member of the
                           class C, a predicate on such families for each n;
    - [selects C]          the class is closed under choosing neurons: C n φ implies C p (φ∘f);
    - [encoder Theta N]    after an encoder θ ∈ Θ (earlier layers of any kind: convolutions, residual
                           blocks, …) each last neuron is any function of N θ, one by one. Such a
                           class is closed under choosing. One with a normalisation over the n
                           neurons is not of this kind;
    - [layers L]           the multilayer networks of networks.v, as such a class;
    - [below C p b ustar e]      e ≤ √Σ_l ‖(ψW)_l − u*_l‖² for all ψ in C with p neurons and all heads
                           ‖W‖_F ≤ b: e is at most the distance E_p(b) with bounded heads;
    - [distance C p b ustar e]   e is E_p(b), the infimum: the greatest such number;
    - [factor n p]         1 + p (n − p);
    - [loss B phi W ustar] ‖φW − u*‖ for k outputs;  [frob W]  ‖W‖_F. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From EpsRank Require Import form spectral minors selection floor outputs losses networks network_outputs.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** The factor 1 + p (n − p) of neuron selection. *)
Definition factor (R : rcfType) (n p : nat) : R := 1 + (p * (n - p))%:R.

Lemma factor_ge0 (R : rcfType) n p : 0 <= factor R n p.
Proof. by rewrite addr_ge0 ?ler01 ?ler0n. Qed.

(** ** N1 with short heads *)

Section Head.
Variables (R : rcfType).

(** (√s a + b)² ≤ (1 + s)(a² + b²). *)
Lemma sqr_sum_le (a b s : R) : 0 <= s ->
  (a + Num.sqrt s * b) ^+ 2 <= (1 + s) * (a ^+ 2 + b ^+ 2).
Proof.
move=> s0; rewrite -subr_ge0; set r := Num.sqrt s; have <- : r ^+ 2 = s by rewrite sqr_sqrtr.
rewrite (_ : _ - _ = (r * a - b) ^+ 2) ?sqr_ge0 //.
by rewrite !expr2 mulrDl mulrDr !mulrDl !mul1r; ring.
Qed.

(** If the p rows f of K have entries at most 1 in modulus, then
    |β_f − β_T K_fᵀ|² ≤ (1 + p (n − p)) |β|². *)
Lemma sqn_head n p (K : 'M[R]_(n, n - p)) (f : 'I_p -> 'I_n) (T : 'I_(n - p) -> 'I_n)
    (beta : 'rV[R]_n) (b := colsub T beta) :
  (p <= n)%N -> injective f -> injective T -> (forall i j, f i != T j) ->
  (forall i j, `|K i j| <= 1) ->
  sqn (colsub f beta - b *m (rowsub f K)^T) <= factor R n p * sqn beta.
Proof.
move=> le_pn injf injT disj K1; set y := _ *m _.
have y_le : sqn y <= (p * (n - p))%:R * sqn b.
  rewrite sqnE; apply: (@le_trans _ _ (\sum_(i < p) (n - p)%:R * sqn b)); last first.
    by rewrite sumr_const card_ord -mulr_natl natrM mulrA.
  apply: ler_sum => i _; rewrite mxE; apply: le_trans (cauchy_sum _ _) _.
  rewrite -sqnE mulrC ler_wpmul2r ?sqn_ge0 // -[X in X%:R](card_ord (n - p)) -sumr_const ler_sum //.
  by move=> j _; rewrite !mxE -real_normK ?num_real // expr_le1.
have split_beta : sqn beta = sqn (colsub f beta) + sqn b.
  rewrite !sqnE (sum_complement le_pn _ injf injT disj).
  by congr (_ + _); apply: eq_bigr => i _; rewrite !mxE.
have m0 : 0 <= (p * (n - p))%:R :> R by exact: ler0n.
have norm_le : enorm (colsub f beta - y)
    <= enorm (colsub f beta) + Num.sqrt (p * (n - p))%:R * enorm b.
  have frobE (u : 'rV[R]_p) : enorm u = frob u by rewrite /frob /frob2 big_ord1 /enorm sqnE.
  apply: le_trans (_ : enorm (colsub f beta) + enorm y <= _).
    by rewrite !frobE -!nrm_matrix -(nrmN _ y); apply: nrmD.
  by rewrite ler_add2l /enorm -sqrtrM // ler_wsqrtr.
rewrite -sqr_enorm; apply: le_trans (_ : (enorm (colsub f beta)
    + Num.sqrt (p * (n - p))%:R * enorm b) ^+ 2 <= _).
  by rewrite ler_sqr2 ?enorm_ge0 // addr_ge0 ?mulr_ge0 ?enorm_ge0 ?sqrtr_ge0.
by apply: le_trans (sqr_sum_le _ _ m0) _; rewrite !sqr_enorm -split_beta.
Qed.

End Head.

Section Selection.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V) (n : nat) (phi : 'I_n -> V).

(** N1 with short heads: one choice of p neurons, and one linear map from heads to heads, serve every
    β: the error is at most (1 + p (n − p)) λ_{p+1} ‖β‖² and the new head has
    ‖c‖² ≤ (1 + p (n − p)) ‖β‖². *)
Theorem neuron_selection_short p : (p <= n)%N ->
  exists2 f : 'I_p -> 'I_n, injective f & exists C : 'M[R]_(n, p), forall beta,
    nrm2 B (comb phi beta - comb (fun i => phi (f i)) (beta *m C))
      <= factor R n p * eigval (gram B phi) p * sqn beta
    /\ sqn (beta *m C) <= factor R n p * sqn beta.
Proof.
move=> le_pn; have [Q diagQ] := spectral_theorem (gram_sym B phi).
have rA : \rank (trailing le_pn Q)^T = (n - p)%N.
  rewrite mxrank_tr; apply/eqP; rewrite -/(row_free _); apply/row_freeP.
  by exists (trailing le_pn Q)^T; apply: trailing_orthonormal diagQ.
have [T [injT dT _ Kt]] := maximal_minor rA.
have [f injf disj] := exists_complement le_pn injT.
have uT : rowsub T (trailing le_pn Q)^T \in unitmx by rewrite unitmxE unitfE.
have [C Cerror Chead] := selection_bound_head (t := 1) diagQ injf injT disj uT Kt.
exists f => //; exists C => beta; split.
  by have := Cerror beta; rewrite expr1n mul1r.
by rewrite Chead; apply: sqn_head.
Qed.

(** The same for k outputs. *)
Theorem neuron_selection_short_outputs p k : (p <= n)%N ->
  exists2 f : 'I_p -> 'I_n, injective f & forall W : 'M[R]_(n, k), exists2 C : 'M[R]_(p, k),
    \sum_l nrm2 B (output phi W l - output (fun i => phi (f i)) C l)
      <= factor R n p * eigval (gram B phi) p * frob2 W
    & frob C <= Num.sqrt (factor R n p) * frob W.
Proof.
move=> /neuron_selection_short[f injf [C le]]; exists f => // W; exists (C^T *m W).
  rewrite frob2E mulr_sumr ler_sum // => l _; have [le_l _] := le (col l W)^T.
  by rewrite /output [col l (_ *m W)]colE -mulmxA -colE trmx_mul trmxK.
rewrite /frob -sqrtrM ?factor_ge0 //; apply: ler_wsqrtr; rewrite !frob2E mulr_sumr.
apply: ler_sum => l _; have [_ le_l] := le (col l W)^T.
by rewrite [col l (_ *m W)]colE -mulmxA -colE trmx_mul trmxK.
Qed.

End Selection.

(** ** Classes, and the distance with bounded heads *)

Section Definitions.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V) (k : nat).
Variable C : forall n, ('I_n -> V) -> Prop.
Implicit Types (ustar : 'I_k -> V) (b e : R).

(** The class is closed under choosing neurons of the last layer. *)
Definition selects : Prop :=
  forall n p (phi : 'I_n -> V) (f : 'I_p -> 'I_n),
    injective f -> C phi -> C (fun i => phi (f i)).

(** e ≤ E_p(b): a lower bound for members of p last neurons with heads ‖W‖_F ≤ b. *)
Definition below p b ustar e : Prop :=
  forall psi : 'I_p -> V, C psi ->
    forall W : 'M[R]_(p, k), frob W <= b -> e <= loss B psi W ustar.

(** e = E_p(b), the infimum over members of p last neurons with heads ‖W‖_F ≤ b. *)
Definition distance p b ustar e : Prop :=
  below p b ustar e /\ forall e', below p b ustar e' -> e' <= e.

(** E_p(b) is non-increasing in b: with longer heads more is reached. *)
Theorem below_antimono p b b' ustar e : b <= b' -> below p b' ustar e -> below p b ustar e.
Proof. by move=> le_b le_e psi Cpsi W le_W; apply: le_e => //; apply: le_trans le_b. Qed.

End Definitions.

Section Floor.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V) (k : nat).
Variable C : forall n, ('I_n -> V) -> Prop.
Hypothesis closed : selects C.
Variables (n : nat) (phi : 'I_n -> V).
Hypothesis member : C phi.
Implicit Types (ustar : 'I_k -> V) (W : 'M[R]_(n, k)) (b e eps : R).
Local Notation G := (gram B phi).

(** N2 for a class, at every p ≤ n: ‖u − u*‖ ≥ E_p(b) − √((1 + p (n − p)) λ_{p+1}) ‖W‖_F with heads of
    norm b = √(1 + p (n − p)) ‖W‖_F. *)
Theorem class_floor_tail p W ustar e : (p <= n)%N ->
  below B C p (Num.sqrt (factor R n p) * frob W) ustar e ->
  e - Num.sqrt (factor R n p * eigval G p) * frob W <= loss B phi W ustar.
Proof.
move=> le_pn le_e; have [f injf /(_ W)[C' near short]] := neuron_selection_short_outputs B phi k le_pn.
have := le_e _ (closed injf member) _ short; rewrite ler_subl_addr => le_v.
apply: le_trans le_v _.
apply: le_trans (_ : nrmk B (fun l => (output phi W l - ustar l) +
    (output (fun i => phi (f i)) C' l - output phi W l)) <= _).
  rewrite le_eqVlt; apply/orP; left; apply/eqP; congr Num.sqrt; apply: eq_bigr => l _.
  by congr (nrm2 B _); rewrite [RHS]addrC addrA subrK.
apply: le_trans (nrmkD _ _ _) _; rewrite ler_add2l -sqrtrM ?mulr_ge0 ?factor_ge0 ?eigval_gram_ge0 //.
by apply: ler_wsqrtr; under eq_bigr do rewrite -nrm2N opprB.
Qed.

(** N2 for a class: with ε-rank p, ‖u − u*‖ ≥ E_p(b) − √((1 + p (n − p)) ε) ‖W‖_F for
    b = √(1 + p (n − p)) ‖W‖_F. *)
Theorem class_floor eps p W ustar e : 0 <= eps -> epsrank G eps = p ->
  below B C p (Num.sqrt (factor R n p) * frob W) ustar e ->
  e - Num.sqrt (factor R n p * eps) * frob W <= loss B phi W ustar.
Proof.
move=> eps0 <-; have symG := gram_sym B phi; move=> le_e.
apply: le_trans (class_floor_tail (epsrank_leq eps symG) le_e).
rewrite ler_add2l ler_opp2 ler_wpmul2r ?frob_ge0 //; apply: ler_wsqrtr.
by rewrite ler_wpmul2l ?factor_ge0 // eigval_epsrank.
Qed.

(** The same where E_p(b) exists, as over the real numbers it does: it is the infimum. *)
Theorem class_floor_distance eps p W ustar Ep : 0 <= eps -> epsrank G eps = p ->
  distance B C p (Num.sqrt (factor R n p) * frob W) ustar Ep ->
  Ep - Num.sqrt (factor R n p * eps) * frob W <= loss B phi W ustar.
Proof. by move=> eps0 rp [le_Ep _]; apply: class_floor. Qed.

(** With free heads: E_p ≤ E_p(b) for all b, so N2 holds with E_p too, and says less. *)
Theorem class_floor_free eps p W ustar e : 0 <= eps -> epsrank G eps = p ->
  (forall b, below B C p b ustar e) ->
  e - Num.sqrt (factor R n p * eps) * frob W <= loss B phi W ustar.
Proof. by move=> eps0 rp le_e; apply: class_floor. Qed.

End Floor.

(** ** Classes that are closed under choosing *)

Section Encoders.
Variables (R : rcfType) (V : lmodType R).

(** After an encoder θ each neuron is one of N θ. *)
Definition encoder (Theta : Type) (N : Theta -> V -> Prop) n (phi : 'I_n -> V) : Prop :=
  exists theta, forall j, N theta (phi j).

(** Every such class is closed under choosing neurons. *)
Theorem encoder_selects Theta (N : Theta -> V -> Prop) : selects (encoder N).
Proof. by move=> n p phi f _ [theta Nphi]; exists theta => i; apply: Nphi. Qed.

Variables (d : nat) (sigma : nat -> R -> R) (X : Type) (pt : X -> 'rV[R]_d) (ev : V -> X -> R).

(** The last hidden layers of networks of L hidden layers, of any earlier widths. *)
Definition layers L n (phi : 'I_n -> V) : Prop :=
  exists h : hidden R d L n, forall j x, ev (phi j) x = features sigma h (pt x) 0 j.

(** Multilayer networks of a depth are closed under choosing neurons. *)
Theorem layers_select L : selects (layers L).
Proof.
move=> n p phi f _ [h hE]; exists (rewire h 0 (fun i => Some (f i))) => i x.
by rewrite features_select hE.
Qed.

(** A network with its first layers fixed: the encoder is F : X → R^m, and each last neuron is
    s(F(x)·w + b) for weights w and a bias b of its own. *)
Definition on_encoder (Theta : Type) m (s : R -> R) (F : Theta -> X -> 'rV[R]_m) n
    (phi : 'I_n -> V) : Prop :=
  encoder (fun theta v => exists (u : 'cV[R]_m) b, forall x, ev v x = s ((F theta x *m u) 0 0 + b)) phi.

(** ResNets, convolutional encoders, fixed earlier layers: closed under choosing neurons. *)
Theorem on_encoder_selects Theta m s (F : Theta -> X -> 'rV[R]_m) : selects (on_encoder s F).
Proof. exact: encoder_selects. Qed.

End Encoders.
