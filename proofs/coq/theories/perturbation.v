(** * How the ε-rank moves when the Gram matrix is perturbed (M7), and sums (M8)

    - [forall x, `|qf (G - H) x| <= t * sqn x]  ‖G − H‖₂ ≤ t, for symmetric G and H;
    - [`|a|]            the absolute value;
    - [eigval G k]      λ_{k+1}(G), largest first. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum poly matrix mxpoly mxalgebra zmodp.
From EpsRank Require Import form spectral rank trace mixing.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** What bounds ‖D‖₂ *)

Section SpectralNorm.
Variables (R : rcfType) (n : nat) (D : 'M[R]_n).
Hypothesis symD : symmetric D.

(** ‖D‖₂ ≤ t if and only if every eigenvalue of D is at most t in modulus. *)
Theorem opnorm_eigval t :
  (forall x, `|qf D x| <= t * sqn x) <-> (forall k, (k < n)%N -> `|eigval D k| <= t).
Proof.
split=> [le_t k k_n | le_t x].
  have le_t2 x : - (t * sqn x) <= qf D x <= t * sqn x by rewrite -ler_norml.
  rewrite ler_norml; apply/andP; split.
    rewrite leNgt; apply/negP => lt_e.
    have : (\rank (1%:M : 'M[R]_n) <= epsrank D (eigval D k))%N.
      apply: epsrank_max => // x _ x0; case/andP: (le_t2 x) => + _; apply: lt_le_trans.
      by rewrite -mulNr ltr_pmul2r // sqn_gt0.
    by rewrite mxrank1 => /(leq_trans k_n); rewrite epsrank_gtP // ltxx.
  rewrite leNgt -epsrank_gtP // -leqNgt.
  have : (epsrank D t + \rank (1%:M : 'M[R]_n) <= n)%N.
    by apply: epsrank_min => // x _; case/andP: (le_t2 x).
  by rewrite mxrank1 -[X in (_ <= X)%N]add0n leq_add2r leqn0 => /eqP->.
rewrite ler_norml -mulNr; apply/andP; split; [apply: qf_ge_eigval | apply: qf_le_eigval] => // k;
  by move=> /le_t; rewrite ler_norml => /andP[].
Qed.

(** ‖D‖₂ ≤ max_i Σ_j |D_ij| for a symmetric D. *)
Theorem opnorm_row_sums t :
  (forall i, \sum_j `|D i j| <= t) -> forall x, `|qf D x| <= t * sqn x.
Proof.
move=> row_le x; pose s i := \sum_j `|D i j|.
have half2 : (2%:R : R) != 0 by rewrite pnatr_eq0.
have young (u v : R) : u * v <= (u ^+ 2 + v ^+ 2) / 2%:R.
  rewrite ler_pdivl_mulr ?ltr0n // -subr_ge0.
  by rewrite (_ : _ - _ = (u - v) ^+ 2) ?sqr_ge0 // sqrrB mulr_natr [RHS]addrAC.
have qfE : qf D x = \sum_i \sum_j x 0 i * D i j * x 0 j.
  rewrite /qf mxE exchange_big /=; apply: eq_bigr => j _.
  by rewrite !mxE mulr_suml.
have -> : t * sqn x = \sum_i t * x 0 i ^+ 2 by rewrite sqnE mulr_sumr.
apply: le_trans (_ : \sum_i s i * x 0 i ^+ 2 <= _); last first.
  by apply: ler_sum => i _; rewrite ler_wpmul2r ?sqr_ge0 ?row_le.
rewrite qfE; apply: le_trans (ler_norm_sum _ _ _) _.
pose a i j := `|D i j| * x 0 i ^+ 2; pose b i j := `|D i j| * x 0 j ^+ 2.
apply: le_trans (_ : \sum_i \sum_j (a i j + b i j) / 2%:R <= _).
  apply: ler_sum => i _; apply: le_trans (ler_norm_sum _ _ _) _; apply: ler_sum => j _.
  rewrite !normrM /a /b -mulrDr mulrAC mulrC -mulrA ler_wpmul2l //.
  by rewrite -(real_normK (num_real (x 0 i))) -(real_normK (num_real (x 0 j))) young.
rewrite le_eqVlt; apply/orP; left; apply/eqP.
have -> : \sum_i \sum_j (a i j + b i j) / 2%:R =
    (\sum_i \sum_j a i j + \sum_i \sum_j b i j) / 2%:R.
  rewrite -big_split mulr_suml; apply: eq_bigr => i _.
  by rewrite -big_split mulr_suml.
have -> : \sum_i \sum_j b i j = \sum_i \sum_j a i j.
  rewrite exchange_big; apply: eq_bigr => i _; apply: eq_bigr => j _.
  by rewrite /a /b -[in RHS]symD mxE.
rewrite -mulr2n -mulr_natr mulfK //; apply: eq_bigr => i _.
by rewrite /s mulr_suml.
Qed.

End SpectralNorm.

(** ‖D‖₂ ≤ ‖D‖_F: a bound t ≥ 0 with Σ_ij D_ij² ≤ t² will do. *)
Theorem opnorm_frobenius (R : rcfType) n (D : 'M[R]_n) t :
  0 <= t -> \sum_i \sum_j D i j ^+ 2 <= t ^+ 2 -> forall x, `|qf D x| <= t * sqn x.
Proof.
move=> t_ge0 frob x.
have cs m (u v : 'rV[R]_m) : (u *m v^T) 0 0 ^+ 2 <= sqn u * sqn v.
  have sym1 : symmetric (1%:M : 'M[R]_m) by rewrite /symmetric trmx1.
  have ge1 (y : 'rV[R]_m) : 0 <= qf 1%:M y by rewrite qf_scalar mul1r sqn_ge0.
  by have := cauchy_schwarz2 (mx_form sym1 ge1) u v; rewrite /nrm2 /= /mx_dot !mulmx1.
rewrite -(@ler_pexpn2r _ 2) ?nnegrE ?mulr_ge0 ?sqn_ge0 // real_normK ?num_real //.
apply: le_trans (cs _ (x *m D) x) _; rewrite exprMn.
rewrite [sqn x ^+ 2]expr2 mulrA ler_wpmul2r ?sqn_ge0 //.
apply: le_trans (_ : (\sum_j \sum_i D i j ^+ 2) * sqn x <= _); last first.
  by rewrite ler_wpmul2r ?sqn_ge0 // exchange_big.
rewrite [sqn (x *m D)]sqnE mulr_suml; apply: ler_sum => j _.
have -> : (x *m D) 0 j = (x *m ((col j D)^T)^T) 0 0.
  by rewrite trmxK !mxE; apply: eq_bigr => i _; rewrite mxE.
apply: le_trans (cs _ _ _) _; rewrite mulrC le_eqVlt; apply/orP; left; apply/eqP.
by rewrite sqnE; congr (_ * _); apply: eq_bigr => i _; rewrite !mxE.
Qed.

(** ** M7: perturbing the Gram matrix *)

Section Stability.
Variables (R : rcfType) (n : nat) (G H : 'M[R]_n) (t : R).
Hypothesis symG : symmetric G.
Hypothesis symH : symmetric H.
Hypothesis close : forall x, `|qf (G - H) x| <= t * sqn x.

(** M7: r_{ε+t}(G) ≤ r_ε(H) ≤ r_{ε−t}(G) when ‖G − H‖₂ ≤ t. *)
Theorem rank_stability eps :
  (epsrank G (eps + t) <= epsrank H eps <= epsrank G (eps - t))%N.
Proof.
have close2 x : qf G x <= qf H x + t * sqn x /\ qf H x <= qf G x + t * sqn x.
  by have := close x; rewrite qfB ler_distl ler_subl_addr => /andP[].
apply/andP; split; apply: (@epsrank_transfer _ _ _ 1%:M) => // y y0 epsy;
  rewrite mulmx1; split=> //; have [le1 le2] := close2 y.
  by have := lt_le_trans epsy le1; rewrite mulrDl ltr_add2r.
by have := lt_le_trans epsy le2; rewrite mulrBl ltr_subl_addr.
Qed.

(** M7 (Weyl): |λ_k(G) − λ_k(H)| ≤ t for every k when ‖G − H‖₂ ≤ t. *)
Theorem eigval_stability k : (k < n)%N -> `|eigval G k - eigval H k| <= t.
Proof.
move=> k_n; rewrite ler_distl; apply/andP; split.
  rewrite ler_subl_addr; apply: (eigval_le_of_epsrank symH symG k_n k_n).
  by case/andP: (rank_stability (eigval G k + t)) => _; rewrite addrK.
apply: (eigval_le_of_epsrank symG symH k_n k_n).
by case/andP: (rank_stability (eigval H k)).
Qed.

End Stability.

(** M7, in terms of eigenvalues: if |λ_k(G − H)| ≤ t for all k, then |λ_k(G) − λ_k(H)| ≤ t. *)
Theorem weyl (R : rcfType) n (G H : 'M[R]_n) t :
  symmetric G -> symmetric H -> (forall k, (k < n)%N -> `|eigval (G - H) k| <= t) ->
  forall k, (k < n)%N -> `|eigval G k - eigval H k| <= t.
Proof.
move=> symG symH le_t k k_n; apply: eigval_stability => //; apply/opnorm_eigval => //.
by rewrite /symmetric linearB /= symG symH.
Qed.

(** M7 for two sets of n neurons, in whatever spaces: if their Gram matrices differ by at most t
    in every row sum, then r_{ε+t}(φ) ≤ r_ε(ψ) ≤ r_{ε−t}(φ). *)
Theorem rank_stability_neurons (R : rcfType) (V W : lmodType R) (B : preHilbert V)
    (C : preHilbert W) n (phi : 'I_n -> V) (psi : 'I_n -> W) t eps :
  (forall i, \sum_j `|dot B (phi i) (phi j) - dot C (psi i) (psi j)| <= t) ->
  (epsrank (gram B phi) (eps + t) <= epsrank (gram C psi) eps
     <= epsrank (gram B phi) (eps - t))%N.
Proof.
move=> row_le; apply: rank_stability; [exact: gram_sym | exact: gram_sym |].
apply: opnorm_row_sums; first by rewrite /symmetric linearB /= !gram_sym.
by move=> i; under eq_bigr do rewrite !mxE; apply: row_le.
Qed.

(** ** M8: sums *)

Section Sums.
Variable R : rcfType.

(** M8: r_{ε+δ}(G + H) ≤ r_ε(G) + r_δ(H). *)
Theorem rank_subadditive n (G H : 'M[R]_n) eps delta :
  symmetric G -> symmetric H ->
  (epsrank (G + H) (eps + delta) <= epsrank G eps + epsrank H delta)%N.
Proof.
move=> symG symH; have [V freeV V_le] := epsrank_coattained eps symG.
have [W freeW W_le] := epsrank_coattained delta symH.
have : (epsrank (G + H) (eps + delta) + \rank (V :&: W)%MS <= n)%N.
  apply: epsrank_min => [|x]; first exact: symmetricD.
  by rewrite sub_capmx qfD mulrDl => /andP[/V_le leG /W_le leH]; apply: ler_add.
have := mxrank_sum_cap V W; rewrite (eqP freeV) (eqP freeW) => sum_cap.
have := rank_leq_col (V + W)%MS; have := epsrank_leq eps symG; have := epsrank_leq delta symH.
move: sum_cap; move: (\rank (V + W)%MS) (\rank (V :&: W)%MS) => a b.
move: (epsrank G eps) (epsrank H delta) (epsrank (G + H) _) => r s q sum_cap s_n r_n a_n qb_n.
rewrite -(leq_add2r b) (leq_trans qb_n) // -(leq_add2l a) addnCA sum_cap.
by rewrite addnACA !subnKC // leq_add2r.
Qed.

(** M8 for data: appending samples with raw weights adds at most their own ε-rank. *)
Theorem rank_subadditive_data N M n (w : 'rV[R]_N) (w' : 'rV[R]_M)
    (w_ge0 : forall i, 0 <= w 0 i) (w'_ge0 : forall i, 0 <= w' 0 i)
    (Phi : 'M[R]_(N, n)) (Psi : 'M[R]_(M, n)) eps delta :
  (epsrank (gram (data_form (row_mx_ge0 w_ge0 w'_ge0)) (fun j => col j (col_mx Phi Psi)))
      (eps + delta) <=
   epsrank (gram (data_form w_ge0) (fun j => col j Phi)) eps +
   epsrank (gram (data_form w'_ge0) (fun j => col j Psi)) delta)%N.
Proof. by rewrite gram_append_data; apply: rank_subadditive; apply: gram_sym. Qed.

End Sums.
