"""A plan is read field by field; what is wrong is named with its remedy."""

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cryofed.errors import InputError
from cryofed.federation.agreement.plan import EnrolledSite, LocalTraining, Plan, RoundRules, StrategyChoice
from cryofed.federation.agreement.plan_file import commented_plan, read_plan

SITES = """
[[sites]]
name = "north"
[[sites]]
name = "south"
max_examples = 500
"""


def read(text: str, tmp_path: Path) -> Plan:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return read_plan(path)


def test_what_the_plan_does_not_say_has_its_default(tmp_path: Path) -> None:
    plan = read(SITES, tmp_path)
    assert plan.engine == "embedded"
    assert plan.rounds == RoundRules()
    assert plan.sites == (EnrolledSite(name="north"), EnrolledSite(name="south", max_examples=500))


def test_a_commented_plan_reads_back_as_itself(tmp_path: Path) -> None:
    plan = Plan(
        name="east-west",
        seed=7,
        rounds=RoundRules(count=3, grace_s=0.5),
        strategy=StrategyChoice(name="fedavg", parameters={"learning_rate": 0.5}),
        sites=(EnrolledSite(name="a", library='a "quoted" \\ path.db'), EnrolledSite(name="b")),
    )
    assert read(commented_plan(plan), tmp_path) == plan


def test_a_plan_made_of_whole_numbers_is_written_as_it_is_when_read_again(tmp_path: Path) -> None:
    whole: dict[str, Any] = {}
    for table in fields(Plan):
        if is_dataclass(noun := getattr(Plan(), table.name)):
            fractions = [of for of in fields(noun) if isinstance(of.default, float)]
            values = {of.name: round(of.default) or int(of.metadata["most"] >= 1) for of in fractions}
            whole[table.name] = replace(noun, **values)
    plan = Plan(**whole, sites=(EnrolledSite(name="a"), EnrolledSite(name="b")))
    assert plan.rounds.deadline_s == 3600
    assert isinstance(plan.rounds.deadline_s, int)
    written = commented_plan(plan)
    assert commented_plan(read(written, tmp_path)) == written


@pytest.mark.parametrize(
    ("text", "field", "remedy"),
    [
        ("sed = 1", "sed: an unknown field", "did you mean seed?"),
        ("[rounds]\ncuont = 3", "rounds.cuont: an unknown field", "did you mean count?"),
        ("[rounds]\ncount = 0", "rounds.count: 0", "from 1 to"),
        ("[rounds]\ncount = 2.5", "rounds.count: 2.5", "a whole number"),
        ("[rounds]\ncount = true", "rounds.count: True", "a whole number"),
        ("[rounds]\ndeadline_s = nan", "rounds.deadline_s: nan", "from 0.1 to"),
        ("rounds = 3", "rounds: 3", "[rounds]"),
        ('engine = "ray"', "engine: 'ray'", "embedded, flare"),
        ('name = "North Lab"', "name: 'North Lab'", "lower-case"),
        ('[strategy]\nname = "fedavgg"', "strategy.name", "fedavg"),
        ('[strategy]\nname = "fedavg"\nmu = 1', "strategy.mu", "learning_rate"),
        ("seed = ", "TOML", "correct this line"),
        ('[[sites]]\nname = "a"\n[[sites]]\nname = "a"', "sites.name: a twice", "own name"),
        ("[[sites]]\nmax_examples = 3", "sites.name: none", "a name"),
        ('[[sites]]\nname = "a"', "rounds.min_updates: 2 for 1 sites", "lower the quorum"),
        ("[rounds]\nsites_per_round = 1", "rounds.sites_per_round: 1 with a quorum of 2", "at least"),
    ],
)
def test_a_mistake_is_named_with_file_field_and_remedy(
    tmp_path: Path, text: str, field: str, remedy: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(text, tmp_path)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "plan.toml"))
    assert field in message
    assert remedy in message
    assert "\n" not in message


def test_a_missing_plan_is_one_line_with_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cryofed federation new"):
        read_plan(tmp_path / "none.toml")


def test_the_hash_sees_every_rule_but_neither_comments_nor_places(tmp_path: Path) -> None:
    plan = read(SITES, tmp_path)
    assert read("# a comment\n" + SITES, tmp_path).hash == plan.hash
    assert read(SITES + 'library = "/elsewhere"\n', tmp_path).hash == plan.hash
    assert read('tracking = "mlflow"\n' + SITES, tmp_path).hash == plan.hash
    assert read("seed = 2\n" + SITES, tmp_path).hash != plan.hash
    assert read("[gate]\nsite_tolerance = 0.02\n" + SITES, tmp_path).hash != plan.hash
    assert read(SITES.replace("500", "501"), tmp_path).hash != plan.hash


def test_the_learning_rate_falls_from_the_first_round_to_the_last() -> None:
    training = LocalTraining(learning_rate=0.01, last_rate=0.1)
    plan = Plan(rounds=RoundRules(count=5), training=training)
    assert [plan.learning_rate(r) for r in (1, 3, 5, 9)] == pytest.approx([0.01, 0.0055, 0.001, 0.001])
    constant = replace(plan, training=LocalTraining(learning_rate=0.01, last_rate=1.0))
    assert {constant.learning_rate(r) for r in range(1, 6)} == {0.01}
    single = replace(plan, rounds=RoundRules(count=1))
    assert single.learning_rate(1) == 0.01


def test_a_plan_of_python_and_the_plan_of_its_file_are_one(tmp_path: Path) -> None:
    """A whole number for one that may have a fraction: 300 in Python, 300.0 in the file that is written."""
    plan = Plan(rounds=RoundRules(deadline_s=300, grace_s=5))
    path = tmp_path / "plan.toml"
    path.write_text(commented_plan(plan))
    assert read_plan(path).hash == plan.hash
