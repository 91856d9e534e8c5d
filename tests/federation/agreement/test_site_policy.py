"""The site's policy always wins over a plan, and one that is misspelt stops the site."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryofed.errors import InputError
from cryofed.federation.agreement.rules import MASKS, GuardRules, stricter
from cryofed.federation.agreement.site_policy import SitePolicy, commented_policy, read_policy
from cryofed.federation.wire.codecs import CODECS

RULES = st.builds(
    GuardRules,
    min_examples=st.integers(0, 500),
    min_steps=st.integers(0, 500),
    max_norm=st.sampled_from([0.0, 0.5, 3.0]),
    private=st.booleans(),
    project_share=st.floats(0.01, 1),
    noise_multiplier=st.floats(0, 5),
    sample_norm=st.floats(0.1, 5),
    max_epsilon=st.sampled_from([0.0, 1.0, 8.0]),
    send_metrics=st.booleans(),
    codec=st.sampled_from(sorted(CODECS)),
    keep=st.floats(0.01, 1),
    mask=st.sampled_from(MASKS),
)


@given(RULES, RULES)
def test_no_plan_weakens_a_policy(plan: GuardRules, site: GuardRules) -> None:
    both = stricter(plan, site)
    for rules in (plan, site):
        assert both.min_examples >= rules.min_examples
        assert both.min_steps >= rules.min_steps
        assert both.project_share <= rules.project_share
        assert rules.max_norm == 0 or 0 < both.max_norm <= rules.max_norm
        assert both.private >= rules.private
        if rules.private:
            assert both.noise_multiplier >= rules.noise_multiplier
            assert rules.max_epsilon == 0 or 0 < both.max_epsilon <= rules.max_epsilon
        assert both.send_metrics <= rules.send_metrics
        assert rules.mask in ("none", both.mask)
    assert stricter(site, plan) == both


def test_a_written_policy_reads_back_as_it_was(tmp_path: Path) -> None:
    policy = SitePolicy(guard=GuardRules(private=True, max_norm=2.5, codec="int8", min_examples=100))
    assert read(commented_policy(policy), tmp_path) == policy


def test_an_empty_policy_is_the_default_one(tmp_path: Path) -> None:
    assert read("", tmp_path) == SitePolicy()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[gaurd]\nprivate = true", "gaurd: an unknown field; did you mean guard?"),
        ("private = true", "private: an unknown field; known are: guard"),
        ("guard = true", "guard: True; write a table, [guard]"),
        ("[guard]\nmax_nrom = 1", "guard.max_nrom: an unknown field; did you mean max_norm?"),
        ("[guard]\nmax_norm = -1", "guard.max_norm: -1.0; give a number from 0"),
        ("[guard]\nmax_norm = nan", "guard.max_norm: nan; give a number from 0"),
        ("[guard]\nprivate = 1", "guard.private: 1; give true or false"),
        ('[guard]\ncodec = "pickle"', "guard.codec: 'pickle'; choose one of: float32"),
        ("[guard]\nmax_norm = 1" + "0" * 400, "guard.max_norm: a number of hundreds of digits"),
        ("[guard", "TOML: "),
        ("a = " + "[" * 5000, "TOML: "),
    ],
)
def test_what_is_wrong_in_a_policy_is_named_with_its_remedy(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        read(text, tmp_path)
    assert message in str(refused.value)


def test_a_policy_that_cannot_be_read_stops_the_site(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file; write one with: cryofed site policy write"):
        read_policy(tmp_path / "absent.toml")
    (tmp_path / "policy.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="save the file as UTF-8"):
        read_policy(tmp_path / "policy.toml")


def read(text: str, folder: Path) -> SitePolicy:
    path = folder / "policy.toml"
    path.write_text(text)
    return read_policy(path)
