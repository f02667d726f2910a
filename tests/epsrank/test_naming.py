"""Other words for commands and options, near words in errors, and help pages that say defaults."""

from __future__ import annotations

import re
from dataclasses import fields

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from epsrank.cli import main
from epsrank.cli.naming import COMMANDS, OPTIONS, nearest, with_nearest
from epsrank.numerics.training import RunConfig
from epsrank.numerics.training.config import DEFAULT_RATES


def error_of(*words: str) -> str:
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["rnak", "f.npy"], "no such command 'rnak'; did you mean rank?"),
        (["quux"], "no such command 'quux'; choose one of verify, report"),
        (["train", "cosines", "--setps", "3"], "did you mean --steps?"),
        (["train", "cosines", "--learning-rat", "3"], "did you mean --learning-rate?"),
        (["rank", "f.npy", "--quux"], "no such option --quux; see epsrank rank --help"),
        (["train", "cosins"], "did you mean cosines?"),
        (["train", "cosines", "--optimizer", "adma"], "did you mean adam?"),
        (["train", "cosines", "--activation", "tahn"], "did you mean tanh?"),
        (["train", "cosines", "--network", "mpl"], "did you mean mlp?"),
        (["train", "digits", "--loss", "cross-entrpy"], "did you mean cross-entropy?"),
        (["verify", "--claim", "taill"], "did you mean tail"),
        (["verify", "--size", "quik"], "did you mean quick?"),
        (["reproduce", "A99"], "did you mean A9?"),
        (["bench", "rnak"], "did you mean rank?"),
        (["plot", "theory", "--kind", "kernel-spectrum"], "did you mean kernel-spectra?"),
    ],
)
def test_what_nobody_knows_is_answered_with_what_was_meant(words: list[str], hint: str) -> None:
    assert hint in error_of(*words)


def test_an_option_that_takes_one_value_says_so(tmp_path) -> None:
    words = ["floor", "f.npy", "--target", "t.npy", "--norm", "1", "--eps", "1e-3", "1e-6"]
    assert "--eps takes one value here" in error_of(*words)


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "cosines", "--lr", "0.01"],
        ["Train", "cosines", "--Learning_Rate", "0.01", "--loss", "MSE"],
        ["train", "cosines", "--learning-rate=0.01", "--bs=4", "--optimiser", "ADAM"],
    ],
)
def test_other_words_are_understood(words: list[str], monkeypatch, tmp_path) -> None:
    seen = []

    def planted(config, *more, **given):
        seen.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr("epsrank.numerics.training.train", planted)
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, [*words, "--steps", "3"]).exit_code == 130
    (config,) = seen
    assert (config.learning_rate, config.optimizer, config.loss) == (0.01, "adam", "mse")


def test_choices_and_claims_need_no_capitals_and_no_hyphens(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        "epsrank.proofs.runner.verify",
        lambda claims, **more: asked.append((claims, more["effort"])) or pytest.skip.Exception,
    )
    CliRunner().invoke(main, ["check", "--claims", "duplicate_neuron", "--size", "QUICK"])
    assert asked == [(("duplicate_neuron",), "quick")]
    from epsrank.proofs.ledger.claims import load_ledger, select_claims

    (found,) = select_claims(["Duplicate_Neuron"], load_ledger())
    assert found.id == "duplicate-neuron"


def test_other_words_name_what_there_is() -> None:
    options = {
        name
        for command in main.commands.values()
        for param in command.params
        if isinstance(param, click.Option)
        for name in param.opts
    }
    assert set(OPTIONS.values()) <= options
    assert set(COMMANDS.values()) <= set(main.commands)
    # A word that some command has itself would mean one thing here and another there.
    assert not set(COMMANDS) & set(main.commands)


def test_the_shell_completes_commands_options_choices_and_claims() -> None:
    from click.shell_completion import BashComplete

    def offered(*words: str) -> set[str]:
        shell = BashComplete(main, {}, "epsrank", "_EPSRANK_COMPLETE")
        return {item.value for item in shell.get_completions(list(words[:-1]), words[-1])}

    assert offered("ver") == {"verify"}
    assert "--learning-rate" in offered("train", "--lea")
    assert offered("verify", "--size", "q") == {"quick"}
    assert offered("verify", "--claim", "dup") == {"duplicate-neuron"}


def test_near_words() -> None:
    assert nearest("Cross_Entropi", ["mse", "cross-entropy"]) == "cross-entropy"
    assert nearest("quux", ["mse"]) is None
    assert with_nearest("x is 'adm'; choose one of sgd, adam").endswith("(did you mean adam?)")
    for text in ("x is 3; pass a number", "c 'tal'; did you mean tail?", "'a b'; choose one of c"):
        assert with_nearest(text) == text


def test_every_command_stands_in_a_group_and_no_sentence_is_cut() -> None:
    page = CliRunner().invoke(main, ["--help"]).stdout
    assert "Others:" not in page
    assert "..." not in page.split("Features and their loss:")[1]
    for name, command in main.commands.items():
        assert f"\n  {name} " in page
        assert "Others:" not in CliRunner().invoke(main, [name, "--help"]).stdout, command.name


def test_defaults_on_the_page_of_train_are_those_of_the_settings() -> None:
    said = {
        param.name: found[1]
        for param in main.commands["train"].params
        if isinstance(param, click.Option)
        and (found := re.search(r"\[default: ([^\]]+)\]", param.help or ""))
    }
    known = {field.name: field.default for field in fields(RunConfig)}
    for name in ("network", "depth", "width", "activation", "init", "optimizer", "loss", "steps",
                 "bias", "seed", "dtype", "device", "threads"):  # fmt: skip
        assert said[name] == str(known[name]), name
    assert said["eps"].split() == [str(eps) for eps in known["eps"]]
    rates = re.findall(r"[\d.]+", said["learning_rate"])
    assert list(map(float, rates)) == [DEFAULT_RATES[n] for n in ("adam", "sgd", "lbfgs")]
    # What is left out has no default: a word for all of the network, and what is asked for only.
    told = {p.name for p in main.commands["train"].params if isinstance(p, click.Option)}
    assert told - said.keys() == {"net", "keep_features", "data", "target_columns", "domain",
                                  "resume", "yes"}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "begun", "offered"),
    [
        (["train"], "allen", "allen-cahn"),
        (["train", "--steps", "3"], "cos", "cosines"),
        (["train", "--optimizer"], "ad", "adamw"),
        (["train", "--activation"], "ta", "tanh"),
        (["train", "--network"], "res", "resnet"),
        (["train", "--init"], "struct", "structured"),
        (["train", "--loss"], "cross", "cross-entropy"),
        (["verify", "--claim"], "duplicate", "duplicate-neuron"),
    ],
)
def test_the_shell_offers_names(words: list[str], begun: str, offered: str) -> None:
    found = ShellComplete(main, {}, "epsrank", "_EPSRANK_COMPLETE").get_completions(words, begun)
    assert offered in [item.value for item in found]
