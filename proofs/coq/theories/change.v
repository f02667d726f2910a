(** * What a change of the loss proves about the features (F8, F9, R)

    The features before are φ = [phi] with an orthogonal [Q] that diagonalises their Gram matrix, those
    after are χ = [chi]; y = [us] is the target, and the later network is χ·β with ‖β‖ ≤ b.
    - [led phi Q p c]       Σ_{k ≤ p} c_k ψ_k, a head on the leading p directions alone;
    - [moved B phi chi D]   ‖φ·x − χ·x‖ ≤ D‖x‖ for every x: the features moved by at most D;
    - [outs phi W]          the outputs u_1, …, u_k, u_l = φ·W_l, of a head with rows W_l;
    - [sigma B phi k]       σ_{k+1} = √λ_{k+1}, the singular value of the features. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral rank projection floor mixing.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Definitions.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V).

(** A head on the leading p directions alone: Σ_{k ≤ p} c_k ψ_k. *)
Definition led n (phi : 'I_n -> V) (Q : 'M[R]_n) p (c : 'rV[R]_n) : V :=
  \sum_(k < n | (k < p)%N) c 0 k *: psi phi Q k.

(** The features moved by at most D: ‖φ·x − χ·x‖ ≤ D‖x‖. *)
Definition moved n (phi chi : 'I_n -> V) (D : R) : Prop :=
  forall x, nrm B (comb phi x - comb chi x) <= D * enorm x.

(** The outputs of a head with rows W_l: u_l = φ·W_l. *)
Definition outs n m (phi : 'I_n -> V) (W : 'M[R]_(m, n)) (l : 'I_m) : V := comb phi (row l W).

(** σ_{k+1}, the square root of λ_{k+1}. *)
Definition sigma n (phi : 'I_n -> V) k : R := Num.sqrt (eigval (gram B phi) k).

End Definitions.

Section Reach.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V).
Implicit Types (us : V) (b m D eps : R).

(** F8, the counterfactual floor: if every head with ‖β‖ ≤ b on the earlier features leaves a root
    loss of m at least, and one on the later features leaves less, then the features moved, by
    (m − loss)/b at least. *)
Theorem counterfactual n (phi chi : 'I_n -> V) us b m D beta :
  0 <= D -> moved B phi chi D ->
  (forall x, enorm x <= b -> m <= nrm B (comb phi x - us)) -> enorm beta <= b ->
  m - nrm B (comb chi beta - us) <= D * b.
Proof.
move=> D0 near all_m le_b; rewrite ler_subl_addl.
apply: le_trans (all_m _ le_b) _.
rewrite -[comb phi beta - us](subrKA (comb chi beta)) addrC.
apply: le_trans (nrmD B _ _) _; rewrite ler_add2l.
by apply: le_trans (near beta) _; rewrite ler_wpmul2l.
Qed.

(** F8, mixing: later features that are a mixing φT of the earlier ones, ‖xTᵀ‖ ≤ c‖x‖, leave no less
    than the earlier ones do with heads that are c times as large. So a loss below that of every
    head with ‖x‖ ≤ cb is proof that no such T explains it. *)
Theorem no_mixing n l (phi : 'I_n -> V) (T : 'M[R]_(n, l)) us b m (c : R) beta :
  0 <= c -> (forall x, enorm (x *m T^T) <= c * enorm x) ->
  (forall x, enorm x <= c * b -> m <= nrm B (comb phi x - us)) -> enorm beta <= b ->
  m <= nrm B (comb (mix phi T) beta - us).
Proof.
move=> c0 leT all_m le_b; have -> : comb (mix phi T) beta = comb phi (beta *m T^T).
  rewrite /comb (eq_bigr (fun j => \sum_i (beta 0 j * T i j) *: phi i)) => [|j _]; last first.
    by rewrite scaler_sumr; apply: eq_bigr => i _; rewrite scalerA.
  rewrite exchange_big; apply: eq_bigr => i _; rewrite -scaler_suml mxE; congr (_ *: _).
  by apply: eq_bigr => j _; rewrite mxE.
by apply: all_m; apply: le_trans (leT beta) _; rewrite ler_wpmul2l.
Qed.

(** R, the rank used: if every head with ‖c‖ ≤ b on the leading p directions of the later features
    leaves a root loss of m at least, then (m − loss)/b ≤ √λ_{p+1}. *)
Theorem rank_used n (chi : 'I_n -> V) (Q : 'M[R]_n) us p b m beta :
  diagonalises Q (gram B chi) ->
  (forall c : 'rV_n, enorm c <= b -> m <= nrm B (led chi Q p c - us)) -> enorm beta <= b ->
  m - nrm B (comb chi beta - us) <= sigma B chi p * b.
Proof.
move=> diagQ all_m le_b; have [QQ _] := diagQ; set c := beta *m Q^T.
have len_c : enorm c = enorm beta by rewrite /enorm sqn_orthogonal.
rewrite ler_subl_addl; apply: le_trans (all_m c _) _; first by rewrite len_c.
rewrite -[led chi Q p c - us](subrKA (comb chi beta)) addrC.
apply: le_trans (nrmD B _ _) _; rewrite ler_add2l.
have -> : led chi Q p c - comb chi beta = - \sum_(k < n | ~~ (k < p)%N) c 0 k *: psi chi Q k.
  rewrite (comb_psi diagQ) [in X in _ - X](bigID (fun k : 'I_n => (k < p)%N)) /=.
  by rewrite opprD addrA subrr sub0r.
rewrite nrmN /nrm (nrm2_sum_psi diagQ (fun k => ~~ (k < p)%N) (c 0)).
apply: (@le_trans _ _ (sigma B chi p * enorm beta)); last first.
  by rewrite ler_wpmul2l // sqrtr_ge0.
apply: sqrt_bound; first exact: lam_ge0.
rewrite -(sqn_orthogonal beta QQ) sqnE mulr_sumr big_mkcond; apply: ler_sum => k _.
have symG := gram_sym B chi; rewrite -leqNgt.
case: leqP => le_pk; last by rewrite mulr_ge0 ?sqr_ge0 ?lam_ge0.
by rewrite ler_wpmul2r ?sqr_ge0 // eigval_mono // le_pk ltn_ord.
Qed.

(** R with p = r_ε before: if the later loss is out of reach of the leading p directions by more than
    √ε b, then the later features have more than p directions above ε. *)
Theorem rank_rose n (chi : 'I_n -> V) (Q : 'M[R]_n) us p b m eps beta :
  diagonalises Q (gram B chi) -> (p < n)%N -> 0 <= eps -> 0 <= b ->
  (forall c : 'rV_n, enorm c <= b -> m <= nrm B (led chi Q p c - us)) -> enorm beta <= b ->
  Num.sqrt eps * b < m - nrm B (comb chi beta - us) ->
  (p < epsrank (gram B chi) eps)%N.
Proof.
move=> diagQ lt_pn eps0 b0 all_m le_b beyond.
rewrite (epsrank_gtP _ (gram_sym B chi) lt_pn) ltNge; apply/negP => le_eps.
have := rank_used diagQ all_m le_b; rewrite leNgt => /negP; apply; apply: le_lt_trans beyond.
by rewrite ler_wpmul2r // ler_wsqrtr.
Qed.

(** R′, a new direction: what the later network leaves outside the span of the earlier p leading
    directions is at least d_p − loss, so that σ₁((I − P_p)χ) ≥ (d_p − loss)/‖β‖. *)
Theorem new_direction n l (phi : 'I_n -> V) (Q : 'M[R]_n) (chi : 'I_l -> V) us p S beta :
  diagonalises Q (gram B phi) ->
  (forall x, nrm B (comb chi x - proj B phi Q p (comb chi x)) <= S * enorm x) ->
  dist B phi Q p us - nrm B (comb chi beta - us) <= S * enorm beta.
Proof.
move=> diagQ leS; pose res x := x - proj B phi Q p x.
have resB x y : res (x - y) = res x - res y by rewrite /res projB opprD addrACA -opprD.
have := component_bound (comb chi beta) us resB (nrm2_residual_le diagQ p).
rewrite !ler_subl_addr => le_d; apply: le_trans le_d _; rewrite addrC ler_add2r.
exact: leS.
Qed.

End Reach.

(** ** Ranks that are forced, and how far features must move *)

Section Forced.
Variables (R : rcfType) (V : lmodType R) (B : preHilbert V).
Implicit Types (a b e w D eps : R).

Lemma comb_outs n k (phi : 'I_n -> V) (W : 'M[R]_(k, n)) x :
  comb (outs phi W) x = comb phi (x *m W).
Proof.
rewrite /comb /outs (eq_bigr (fun l => \sum_j (x 0 l * W l j) *: phi j)) => [|l _]; last first.
  by rewrite /comb scaler_sumr; apply: eq_bigr => j _; rewrite scalerA mxE.
by rewrite exchange_big; apply: eq_bigr => j _; rewrite -scaler_suml mxE.
Qed.

(** R″, the rank that a small error forces: if ‖Σ_l x_l (u_l − y_l)‖ ≤ e‖x‖ and ‖xW‖ ≤ w‖x‖ for all x,
    the features have at least as many directions above ε as the targets have above (e + √ε w)². *)
Theorem rank_forced n k (phi : 'I_n -> V) (y : 'I_k -> V) (W : 'M[R]_(k, n)) e w eps :
  0 <= e -> 0 <= w -> 0 <= eps ->
  moved B y (outs phi W) e -> (forall x, enorm (x *m W) <= w * enorm x) ->
  (epsrank (gram B y) ((e + Num.sqrt eps * w) ^+ 2) <= epsrank (gram B phi) eps)%N.
Proof.
move=> e0 w0 eps0 near leW.
apply: (epsrank_transfer (A := W)); [exact: gram_sym | exact: gram_sym | move=> x x0].
have qfE (l : nat) (f : 'I_l -> V) z : qf (gram B f) z = nrm B (comb f z) ^+ 2.
  by rewrite sqr_nrm /nrm2 dot_comb.
rewrite !qfE -!sqr_enorm -!exprMn => big_y.
have se0 : 0 <= Num.sqrt eps by exact: sqrtr_ge0.
have far_y : (e + Num.sqrt eps * w) * enorm x < nrm B (comb y x).
  move: big_y; rewrite ltr_pexpn2r ?nnegrE ?nrm_ge0 // mulr_ge0 ?enorm_ge0 //.
  by rewrite addr_ge0 // mulr_ge0.
have big_u : Num.sqrt eps * w * enorm x < nrm B (comb phi (x *m W)).
  rewrite -comb_outs -(ltr_add2l (e * enorm x)) -mulrDl; apply: lt_le_trans far_y _.
  by rewrite -ler_subl_addr; apply: le_trans (ler_nrmB B _ _) (near x).
have far_u : Num.sqrt eps * enorm (x *m W) < nrm B (comb phi (x *m W)).
  by apply: le_lt_trans big_u; rewrite -mulrA ler_wpmul2l.
split; last first.
  rewrite -[eps](sqr_sqrtr eps0) -exprMn ltr_pexpn2r ?nnegrE ?nrm_ge0 //.
  by rewrite mulr_ge0 ?enorm_ge0.
apply: contraTneq far_u => ->; rewrite comb0 /nrm /nrm2 dot0l sqrtr0 -leNgt.
by rewrite mulr_ge0 ?enorm_ge0.
Qed.

(** F9 for ε-ranks: features that moved by at most D have at least as many directions above ε as the
    others have above (√ε + D)². *)
Lemma rank_moved n (phi chi : 'I_n -> V) D eps :
  0 <= D -> 0 <= eps -> moved B chi phi D ->
  (epsrank (gram B chi) ((Num.sqrt eps + D) ^+ 2) <= epsrank (gram B phi) eps)%N.
Proof.
move=> D0 eps0 near; have := @rank_forced n n phi chi 1%:M D 1 eps D0 ler01 eps0.
by rewrite mulr1 addrC; apply => x; rewrite ?comb_outs mulmx1 // mul1r.
Qed.

(** F9, singular values move no further than the features: σ_k(χ) ≤ σ_k(φ) + D. *)
Theorem sigma_moved n (phi chi : 'I_n -> V) D k :
  0 <= D -> moved B chi phi D -> (k < n)%N -> sigma B chi k <= sigma B phi k + D.
Proof.
move=> D0 near lt_kn; have lam0 f : 0 <= eigval (gram B f) k by exact: lam_ge0.
rewrite -ler_sqr2 ?addr_ge0 ?sqrtr_ge0 // sqr_sqrtr //.
apply: (eigval_le_of_epsrank (gram_sym B chi) (gram_sym B phi) lt_kn lt_kn).
exact: rank_moved.
Qed.

(** F9, a path: steps of lengths D_1, …, D_T move the features by at most their sum. *)
Theorem path_moved n (path : nat -> 'I_n -> V) (D : nat -> R) T :
  (forall t, (t < T)%N -> moved B (path t.+1) (path t) (D t)) ->
  moved B (path T) (path 0%N) (\sum_(t < T) D t).
Proof.
elim: T => [|T IHT] steps x; first by rewrite big_ord0 mul0r subrr /nrm /nrm2 dot0l sqrtr0.
rewrite big_ord_recr /= mulrDl -(subrKA (comb (path T) x)).
apply: le_trans (nrmD B _ _) _; rewrite addrC ler_add //; last exact: steps.
by apply: IHT => t lt_t; apply: steps; rewrite ltnS ltnW.
Qed.

(** F9, how far a path must go: one that is not longer than √ε − σ_{q+1} does not reach rank q + 1. *)
Theorem path_too_short n (path : nat -> 'I_n -> V) (D : nat -> R) T q eps :
  (forall t, (t < T)%N -> 0 <= D t) ->
  (forall t, (t < T)%N -> moved B (path t.+1) (path t) (D t)) ->
  (q < n)%N -> 0 <= eps ->
  \sum_(t < T) D t <= Num.sqrt eps - sigma B (path 0%N) q ->
  (epsrank (gram B (path T)) eps <= q)%N.
Proof.
move=> D0 steps lt_qn eps0 short; rewrite leqNgt (epsrank_gtP _ (gram_sym B _) lt_qn) -leNgt.
have sum0 : 0 <= \sum_(t < T) D t by apply: sumr_ge0 => t _; exact: D0.
have lam0 : 0 <= eigval (gram B (path T)) q by exact: lam_ge0.
rewrite -(sqr_sqrtr lam0) -(sqr_sqrtr eps0) ler_sqr2 ?sqrtr_ge0 //.
by apply: le_trans (sigma_moved sum0 (path_moved steps) lt_qn) _; rewrite addrC -ler_subr_addr.
Qed.

End Forced.
