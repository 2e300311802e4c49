"""The papers' experiments: in small, whole; what a claim's interval carries; and only what is missing is done."""

import json

import pytest
from repository import ROOT

from latentlab.cli import main
from latentlab.experiments import EXPERIMENTS
from latentlab.experiments.experiment import Claim, Effort, Experiment, Figure
from latentlab.experiments.report import NOT_SUPPORTED, SUPPORTED, UNTOLD, judge_claims, judge_paper, write_sentence

CHECKPOINTS = ROOT / "checkpoints"  # the shipped ones: an untrained judge knows nothing


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("all")
    words = f"reproduce all --quick --checkpoints {CHECKPOINTS} --device cpu --out {out}".split()
    assert main(words) == 0
    return out, words


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_leaves_its_table_figure_and_sentence(name, done):
    folder, experiment = done[0] / name, EXPERIMENTS[name]
    outcome = json.loads((folder / f"{name}.json").read_text("utf-8"))
    assert outcome["effort"]["seeds"] == experiment.quick.seeds
    for row in outcome["rows"]:
        assert set(row["figures"]) <= set(experiment.figures)
        assert all(one["low"] <= one["value"] <= one["high"] for one in row["figures"].values())
    assert len(outcome["findings"]) == len(experiment.claims)
    assert outcome["sentence"].startswith(experiment.paper)
    assert outcome["sentence"] in (folder / f"{name}.txt").read_text("utf-8")
    page = (folder / f"{name}.html").read_text("utf-8")
    assert "<script src=" not in page
    assert all(row["arm"] in page for row in outcome["rows"])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_claim_is_about_arms_and_figures_that_are_measured(name, done):
    rows = json.loads((done[0] / name / f"{name}.json").read_text("utf-8"))["rows"]
    measured = {row["arm"]: set(row["figures"]) for row in rows}
    for claim in EXPERIMENTS[name].claims:
        assert claim.figure in measured[claim.arm] & measured[claim.other]
    assert any(claim.is_published for claim in EXPERIMENTS[name].claims)


def test_only_the_cell_that_is_missing_is_measured_again(done, capsys):
    folder = done[0] / "bias"
    before = json.loads((folder / "bias.json").read_text("utf-8"))
    (folder / "randmix-1.json").unlink()
    capsys.readouterr()
    words = f"reproduce bias --quick --checkpoints {CHECKPOINTS} --device cpu --out {folder}".split()
    assert main(words) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.endswith("…")]
    assert len(told) == 1
    assert "randmix-1" in told[0]
    after = json.loads((folder / "bias.json").read_text("utf-8"))
    assert after["rows"] == before["rows"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("bias --quick --steps 3 --out {}/bias", "name another --out"),
        ("bias --seeds 0", "--seeds is 0"),
        ("bias --percent 1", "--percent is a flag of low-data alone"),
        ("magic", "invalid choice"),
    ],
)
def test_nonsense_is_one_clear_line(words, message, done, capsys):
    assert main(["reproduce", *words.format(done[0]).split()]) == 2
    assert message in capsys.readouterr().err


def make_experiment(*claims: Claim) -> Experiment:
    effort = Effort(2, 1, 1)
    figures = {"hits": Figure("hits"), "nats": Figure("nats", is_share=False, higher_is_better=False)}
    return Experiment(
        "it helps",
        "A paper",
        effort,
        effort,
        figures,
        claims,
        settle_arms=lambda effort, networks: {},
        measure_cell=lambda *cell: {},
    )


def test_a_claim_is_judged_by_the_interval_of_paired_differences():
    """Differences 0.1, 0.1, 0.13: mean 0.11, standard error 0.01, Student's t with 2 degrees of freedom is 4.303."""
    claim = Claim("ours over theirs", "ours", "theirs", "hits", is_published=True)
    found = {"ours": {"hits": [0.5, 0.8, 0.43]}, "theirs": {"hits": [0.4, 0.7, 0.3]}}
    (finding,) = judge_claims(make_experiment(claim), found)
    assert finding.gain.value == pytest.approx(0.11)
    assert finding.gain.low == pytest.approx(0.11 - 0.04303, abs=1e-5)
    assert finding.verdict == SUPPORTED
    assert "supported here (supported: ours over theirs (+11.0 points better, +6.7 to +15.3))" in write_sentence(
        make_experiment(claim), [finding]
    )


def test_what_is_smaller_and_better_is_better():
    claim = Claim("ours over theirs", "ours", "theirs", "nats", is_published=True)
    found = {"ours": {"nats": [1.0, 2.0]}, "theirs": {"nats": [2.0, 3.0]}}
    (finding,) = judge_claims(make_experiment(claim), found)
    assert (finding.gain.value, finding.verdict) == (1.0, SUPPORTED)
    (turned,) = judge_claims(make_experiment(claim), {"ours": found["theirs"], "theirs": found["ours"]})
    assert turned.verdict == NOT_SUPPORTED


@pytest.mark.parametrize("values", [[0.9], [0.9, 0.2], [0.4, 0.52]])
def test_one_seed_and_a_wide_interval_tell_nothing(values):
    claim = Claim("ours over theirs", "ours", "theirs", "hits", is_published=True)
    found = {"ours": {"hits": values}, "theirs": {"hits": [0.4, 0.5][: len(values)]}}
    (finding,) = judge_claims(make_experiment(claim), found)
    assert finding.verdict == UNTOLD
    assert ("no interval" in write_sentence(make_experiment(claim), [finding])) == (len(values) == 1)
    assert judge_paper([finding]) == UNTOLD


def test_a_paper_is_supported_by_its_own_claims_alone_and_contradicted_by_one():
    published = Claim("theirs", "a", "b", "hits", is_published=True)
    control = Claim("a control", "c", "b", "hits")
    found = {"a": {"hits": [0.5, 0.6]}, "b": {"hits": [0.1, 0.2]}, "c": {"hits": [0.0, 0.1]}}
    findings = judge_claims(make_experiment(published, control), found)
    assert [finding.verdict for finding in findings] == [SUPPORTED, NOT_SUPPORTED]
    assert judge_paper(findings) == SUPPORTED
    turned = judge_claims(make_experiment(published, Claim("worse", "c", "b", "hits", is_published=True)), found)
    assert judge_paper(turned) == NOT_SUPPORTED
