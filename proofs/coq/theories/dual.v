(** * Dual certificates for convex losses, as the code evaluates them (L3)

    Predictions are φ(x_i)W + o_i for N samples with weights w_i ≥ 0; o_i is an offset, such as a bias
    or what other layers add. A slope g_i with a value v_i is a *dual point* of ℓ_i where
    ℓ_i(a) ≥ v_i + ⟨g_i, a⟩ for all a, that is, where −v_i is at least the conjugate ℓ_i*(g_i).
    - [Phi *m W + O]          the predictions: [Phi] is N × n, [W] is n × k, [O] is N × k;
    - [dual_point ell v G]    (v_i, g_i) is a dual point of ℓ_i for each i; g_i is row i of G;
    - [weighted w v]          Σ_i w_i v_i;
    - [Phi^T *m diag_mx w *m G]   Σ_i w_i φ_iᵀ g_i, of size n × k;
    - [dual_value w Phi O v G b]  Σ w_i v_i + Σ w_i ⟨g_i, o_i⟩ − b ‖Σ w_i φ_iᵀ g_i‖_F. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From mathcomp Require Import ring.
From EpsRank Require Import form spectral minors selection floor outputs losses cross_entropy.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Definitions.
Variables (R : rcfType) (N n k : nat) (w : 'rV[R]_N).

(** ℓ_i(a) ≥ v_i + ⟨g_i, a⟩ for all i and a. *)
Definition dual_point (ell : 'I_N -> 'rV[R]_k -> R) (v : 'I_N -> R) (G : 'M[R]_(N, k)) : Prop :=
  forall i a, v i + mdot (row i G) a <= ell i a.

(** Σ_i w_i v_i. *)
Definition weighted (v : 'I_N -> R) : R := \sum_i w 0 i * v i.

(** The bound that a dual point gives for the ball ‖W‖_F ≤ b. *)
Definition dual_value (Phi : 'M[R]_(N, n)) (O : 'M[R]_(N, k)) v (G : 'M[R]_(N, k)) (b : R) : R :=
  weighted v + weighted (fun i => mdot (row i G) (row i O)) - b * frob (Phi^T *m diag_mx w *m G).

End Definitions.

Section Bound.
Variables (R : rcfType) (N n k : nat) (w : 'rV[R]_N).
Hypothesis w_ge0 : forall i, 0 <= w 0 i.
Variables (ell : 'I_N -> 'rV[R]_k -> R) (Phi : 'M[R]_(N, n)) (O : 'M[R]_(N, k)).
Implicit Types (v : 'I_N -> R) (G : 'M[R]_(N, k)) (W : 'M[R]_(n, k)) (b e : R).

Lemma weighted_le v v' : (forall i, v i <= v' i) -> weighted w v <= weighted w v'.
Proof. by move=> le_v; apply: ler_sum => i _; rewrite ler_wpmul2l. Qed.

Lemma weightedD v v' : weighted w (fun i => v i + v' i) = weighted w v + weighted w v'.
Proof. by rewrite -big_split; apply: eq_bigr => i _; rewrite mulrDr. Qed.

Lemma weighted_features G W :
  weighted w (fun i => mdot (row i G) (row i (Phi *m W))) = mdot (Phi^T *m diag_mx w *m G) W.
Proof.
rewrite mdot_trace -!mulmxA mxtrace_mulC -mulmxA -mulmxA -trmx_mul.
apply: eq_bigr => i _; rewrite mul_diag_mx mxE; congr (_ * _).
by rewrite mxE /mdot big_ord1; apply: eq_bigr => l _; rewrite !mxE.
Qed.

Lemma mdot_frob_le m l (A C : 'M[R]_(m, l)) : `|mdot A C| <= frob A * frob C.
Proof. by rewrite -!nrm_matrix; apply: (cauchy_schwarz (matrix_form R m l)). Qed.

(** A row of biases β leaves Σ w_i ⟨g_i, φ_i W + o_i + β⟩ unchanged where Σ w_i g_i = 0. *)
Lemma balanced_bias G (beta : 'rV[R]_k) : w *m G = 0 ->
  weighted w (fun i => mdot (row i G) beta) = 0.
Proof.
move=> wG0; transitivity (mdot (w *m G) beta); last first.
  by rewrite wG0 /mdot big1 // => i _; rewrite big1 // => l _; rewrite mxE mul0r.
rewrite /weighted /mdot big_ord1.
rewrite (eq_bigr (fun i => \sum_l w 0 i * G i l * beta 0 l)) => [|i _]; last first.
  by rewrite big_ord1 mulr_sumr; apply: eq_bigr => l _; rewrite mxE mulrA.
by rewrite exchange_big; apply: eq_bigr => l _; rewrite mxE mulr_suml.
Qed.

Lemma dual_value_le v G W b : frob W <= b ->
  dual_value w Phi O v G b
    <= weighted w (fun i => v i + mdot (row i G) (row i (Phi *m W + O))).
Proof.
move=> le_b; rewrite weightedD /dual_value -addrA ler_add2l.
have -> : weighted w (fun i => mdot (row i G) (row i (Phi *m W + O))) =
    mdot (Phi^T *m diag_mx w *m G) W + weighted w (fun i => mdot (row i G) (row i O)).
  rewrite -weighted_features -weightedD; apply: eq_bigr => i _; congr (_ * _).
  by rewrite linearD mdotC mdotDl mdotC [X in _ + X]mdotC.
rewrite addrC ler_add2r ler_oppl; apply: le_trans (ler_norm _) _; rewrite normrN.
by apply: le_trans (mdot_frob_le _ _) _; rewrite mulrC ler_wpmul2r ?frob_ge0.
Qed.

(** L3: for every dual point, Σ w_i ℓ_i(φ_i W + o_i) ≥ Σ w_i v_i + Σ w_i ⟨g_i, o_i⟩ −
    b ‖Σ w_i φ_iᵀ g_i‖_F whenever ‖W‖_F ≤ b. *)
Theorem dual_bound v G W b : dual_point ell v G -> frob W <= b ->
  dual_value w Phi O v G b <= mean_loss w ell (Phi *m W + O).
Proof.
move=> dual le_b; apply: le_trans (dual_value_le v G le_b) _.
by apply: weighted_le => i; apply: dual.
Qed.

(** ‖xW‖ ≤ ‖x‖ ‖W‖_F. *)
Lemma frob_row_le (x : 'rV[R]_n) W : frob (x *m W) <= frob x * frob W.
Proof.
rewrite /frob -sqrtrM ?frob2_ge0 //; apply: ler_wsqrtr; rewrite [frob2 W]frob2E mulr_sumr {1}/frob2 big_ord1.
apply: ler_sum => l _; rewrite mxE; apply: le_trans (cauchy_sum _ _) _.
rewrite /frob2 big_ord1 sqnE le_eqVlt; apply/orP; left; apply/eqP; congr (_ * _).
by apply: eq_bigr => j _; rewrite !mxE.
Qed.

(** What is computed from slopes G′ and values v′ near those of a dual point, rounding included:
    Σ w_i v′_i − Σ w_i η_i + Σ w_i ⟨g′_i, o_i⟩ − s e Σw − b (‖Σ w_i φ_iᵀ g′_i‖_F + f e Σw). *)
Definition rounded_value (v' : 'I_N -> R) G' (eta : 'I_N -> R) b e f s : R :=
  weighted w v' - weighted w eta + weighted w (fun i => mdot (row i G') (row i O))
    - s * (e * \sum_i w 0 i)
    - b * (frob (Phi^T *m diag_mx w *m G') + f * (e * \sum_i w 0 i)).

Lemma rounded_value_le v G v' G' eta W b e f s :
  0 <= e ->
  (forall i, `|v' i - v i| <= eta i) -> (forall i, frob (row i G' - row i G) <= e) ->
  (forall i, frob (row i Phi) <= f) -> (forall i, frob (row i O) <= s) -> frob W <= b ->
  rounded_value v' G' eta b e f s
    <= weighted w (fun i => v i + mdot (row i G) (row i (Phi *m W + O))).
Proof.
move=> e0 near_v near_g le_f le_s le_b; pose c := e * (f * b + s).
pose v'' i := v' i - eta i - c.
have -> : rounded_value v' G' eta b e f s = dual_value w Phi O v'' G' b.
  rewrite /rounded_value /dual_value; have -> : weighted w v'' = weighted w v' - weighted w eta - c * \sum_i w 0 i.
    by rewrite /weighted mulr_sumr -!sumrB; apply: eq_bigr => i _; rewrite /v'' !mulrBr [c * _]mulrC.
  rewrite /c; move: (weighted w v') (weighted w eta) (weighted w _) (\sum_i _) (frob _) => *.
  ring.
apply: le_trans (dual_value_le v'' G' le_b) _; apply: weighted_le => i; set z := row i (_ + _).
have z_le : frob z <= f * b + s.
  have -> : z = row i Phi *m W + row i O.
    by rewrite -row_mul; apply/rowP => l; rewrite !mxE.
  rewrite -!nrm_matrix; apply: le_trans (nrmD _ _ _) _; rewrite !nrm_matrix ler_add ?le_s //.
  by apply: le_trans (frob_row_le _ _) _; rewrite ler_pmul ?frob_ge0 ?le_f.
have : `|mdot (row i G' - row i G) z| <= c.
  by apply: le_trans (mdot_frob_le _ _) _; rewrite ler_pmul ?frob_ge0 ?near_g.
have -> : mdot (row i G' - row i G) z = mdot (row i G') z - mdot (row i G) z.
  by rewrite mdotDl -scaleN1r mdotZl mulN1r.
move: (near_v i); rewrite !ler_norml => /andP[_ hv] /andP[_ hg].
move: (ler_add hv hg); rewrite -subr_ge0 => h; rewrite -subr_ge0 /v''; move: h.
move: (v' i) (v i) (eta i) (mdot (row i G') z) (mdot (row i G) z) => x y u m' m.
by rewrite (_ : y + m - (x - u - c + m') = u + c - (x - y + (m' - m))) //; ring.
Qed.

(** L3 as it is evaluated: for slopes G′ within e of the g_i, and values v′ within η_i of the v_i, of
    some dual point, and with ‖φ_i‖ ≤ f and ‖o_i‖ ≤ s, what is computed is a bound for ‖W‖_F ≤ b. *)
Theorem dual_bound_rounded v G v' G' eta W b e f s :
  dual_point ell v G -> 0 <= e ->
  (forall i, `|v' i - v i| <= eta i) -> (forall i, frob (row i G' - row i G) <= e) ->
  (forall i, frob (row i Phi) <= f) -> (forall i, frob (row i O) <= s) -> frob W <= b ->
  rounded_value v' G' eta b e f s <= mean_loss w ell (Phi *m W + O).
Proof.
move=> dual e0 near_v near_g le_f le_s le_b.
apply: le_trans (rounded_value_le e0 near_v near_g le_f le_s le_b) _.
by apply: weighted_le => i; apply: dual.
Qed.

(** L3 with a bias that has no bound: where Σ w_i g_i = 0 for the dual point itself, what is computed
    is a bound for every row of biases β added to all predictions, too. *)
Theorem dual_bound_bias v G v' G' eta W b e f s (beta : 'rV[R]_k) :
  dual_point ell v G -> w *m G = 0 -> 0 <= e ->
  (forall i, `|v' i - v i| <= eta i) -> (forall i, frob (row i G' - row i G) <= e) ->
  (forall i, frob (row i Phi) <= f) -> (forall i, frob (row i O) <= s) -> frob W <= b ->
  rounded_value v' G' eta b e f s
    <= mean_loss w ell (Phi *m W + O + \matrix_(i, l) beta 0 l).
Proof.
move=> dual wG0 e0 near_v near_g le_f le_s le_b.
apply: le_trans (rounded_value_le e0 near_v near_g le_f le_s le_b) _.
rewrite -[X in X <= _]addr0 -(balanced_bias beta wG0) -weightedD.
apply: weighted_le => i; apply: le_trans (dual i _); rewrite -addrA ler_add2l.
have -> : row i (Phi *m W + O + \matrix_(i, l) beta 0 l) = row i (Phi *m W + O) + beta.
  by apply/rowP => l; rewrite !mxE.
by rewrite [X in _ <= X]mdotC mdotDl mdotC [X in _ + X]mdotC.
Qed.

End Bound.

(** L3 for cross-entropy: for targets t_i and any distributions p_i whatever (those of a softmax, or
    others), the slopes p_i − t_i with the values H(p_i) are a dual point, so that
    Σ w_i ℓ(φ_i W + o_i, t_i) ≥ Σ w_i H(p_i) + Σ w_i ⟨p_i − t_i, o_i⟩ − b ‖Σ w_i φ_iᵀ (p_i − t_i)‖_F. *)
Theorem cross_entropy_certificate (R : rcfType) (X : exponential R) N n k (w : 'rV[R]_N)
    (Phi : 'M[R]_(N, n)) (O P T : 'M[R]_(N, k)) (W : 'M[R]_(n, k)) b :
  (forall i, 0 <= w 0 i) ->
  (forall i, distribution (row i P)) -> (forall i, distribution (row i T)) -> frob W <= b ->
  dual_value w Phi O (fun i => entropy X (row i P)) (P - T) b
    <= mean_loss w (fun i => cross_entropy X (row i T)) (Phi *m W + O).
Proof.
move=> w0 dP dT le_b; apply: dual_bound => // i a; rewrite linearB /=.
have [i0 _|no] := pickP 'I_k; first exact: cross_entropy_dual.
by have [_] := dT i; rewrite big_pred0 // => /esym/eqP; rewrite oner_eq0.
Qed.
