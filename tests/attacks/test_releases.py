"""A model that is not the coordinator's release is neither promoted nor scored with."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cryptography", reason="signatures need it: pip install '.[flare]'")

from cryofed.cli.main import main
from cryofed.cli.model import checked_model
from cryofed.errors import InputError
from cryofed.federation.agreement.plan import EnrolledSite, Plan
from cryofed.federation.agreement.signing import issue
from cryofed.federation.engines.remote.homes import SiteHome
from cryofed.federation.engines.remote.invitation import write_invitation
from cryofed.federation.releases.refill import places_in
from cryofed.federation.releases.signing import (
    KIND,
    PREDICATE,
    SIGNED,
    STATEMENT,
    check_release,
    own_signer,
)
from cryofed.federation.releases.store import (
    current_release,
    first_release,
    promote,
    read_release,
    write_release,
)
from cryofed.federation.site.consent import Consent
from cryofed.federation.site.trusted import trusted_release
from cryofed.scoring.calibration import UNKNOWN
from cryofed.scoring.scorer import SHIPPED
from cryofed.trust.envelope import read_signing_key, seal

CARD = {"federation": "pact", "parent": "0" * 64, "plan": "1" * 64, "campaign": 1, "participants": ["a", "b"]}


def federation(home: Path, releases: int = 1) -> Path:
    """A federation's folder with a first release and others, each with numbers of its own."""
    layout, _, _ = places_in(SHIPPED.parent)
    chance = np.random.default_rng(len(home.parts))
    first_release(
        home / "releases", chance.normal(size=layout.size).astype(np.float32), UNKNOWN, {"origin": "test"}
    )
    for number in range(2, releases + 1):
        vector = chance.normal(size=layout.size).astype(np.float32)
        write_release(home / "releases", number, vector, UNKNOWN, CARD | {"campaign": number})
    return home


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def test_no_byte_of_a_release_can_be_changed(tmp_path: Path) -> None:
    home = federation(tmp_path / "pact", 2)
    signer, release = own_signer(home), home / "releases" / "0002"
    told = check_release(release, signer)
    assert (told["release"], told["participants"], told["plan"]) == (2, ["a", "b"], "1" * 64)
    for name in ("model.onnx", "weights.safetensors", "card.json", SIGNED):
        copy = tmp_path / f"changed-{name}"
        shutil.copytree(release, copy)
        flipped(copy / name)
        with pytest.raises(InputError, match=r"changed since|not a signed document|signed by the key"):
            check_release(copy, signer)
    (release / SIGNED).unlink()
    with pytest.raises(InputError, match="not signed"):
        check_release(release, signer)


def test_a_changed_model_is_never_promoted_and_no_campaign_starts_from_it(tmp_path: Path) -> None:
    home = federation(tmp_path / "pact", 2)
    flipped(home / "releases" / "0002" / "model.onnx")  # the weights are what the card names
    assert read_release(home / "releases" / "0002").number == 2
    with pytest.raises(InputError, match=r"model\.onnx: file: changed since the release was signed"):
        promote(home / "releases", 2, "test")
    assert (home / "releases" / "current").read_text() == "0001\n"
    flipped(home / "releases" / "0001" / "model.onnx")
    with pytest.raises(InputError, match="changed since the release was signed"):
        current_release(home / "releases")


def test_one_release_does_not_pass_for_another(tmp_path: Path) -> None:
    home = federation(tmp_path / "pact", 2)
    shutil.rmtree(home / "releases" / "0002")
    shutil.copytree(home / "releases" / "0001", home / "releases" / "0002")
    with pytest.raises(InputError, match="signed as release 1"):
        promote(home / "releases", 2, "test")


@pytest.mark.parametrize("names", [["../model.onnx"], [], ["model.onnx"], ["model.onnx"] * 3])
def test_a_statement_names_the_three_files_and_no_path(names: list[str], tmp_path: Path) -> None:
    key = read_signing_key(federation(tmp_path / "pact") / "signing" / "key.pem")
    told = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": "0" * 64}} for name in names],
        "predicateType": PREDICATE,
        "predicate": {"release": 1},
    }
    release = tmp_path / "pact" / "releases" / "0001"
    (release / SIGNED).write_bytes(seal(KIND, json.dumps(told).encode(), key))
    with pytest.raises(InputError, match="not the statement of a release"):
        check_release(release, own_signer(tmp_path / "pact"))


def site_of(home: Path, folder: Path) -> SiteHome:
    """A site that has pinned this federation's key."""
    plan, signer = (
        Plan(name="pact", engine="embedded", sites=(EnrolledSite(name="a"), EnrolledSite(name="b"))),
        own_signer(home),
    )
    key = read_signing_key(home / "signing" / "key.pem")
    issue(home / "agreement.json", plan, key, authority="SHA256:AB")
    site, text = SiteHome(folder), (home / "agreement.json").read_text()
    folder.mkdir()
    write_invitation(site.invitation, plan, "SHA256:AB", signer, text)
    consent = Consent(site.agreement, signer)
    consent.accept(consent.propose(text.encode()).hash, "test")
    return site


def test_an_older_release_does_not_come_back_unless_it_is_wanted(tmp_path: Path) -> None:
    home = federation(tmp_path / "pact", 2)
    site, releases, signer = site_of(home, tmp_path / "site"), home / "releases", own_signer(home)
    assert trusted_release(releases / "0001", signer, site.agreement)["release"] == 1
    assert trusted_release(releases / "0002", signer, site.agreement)["release"] == 2
    with pytest.raises(InputError, match="release 1, older than release 2"):
        trusted_release(releases / "0001", signer, site.agreement)
    assert trusted_release(releases / "0001", signer, site.agreement, older=True)["release"] == 1


Told = Callable[..., str]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """What a command says that must fail in one line."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> str:
        capsys.readouterr()
        assert main([str(word) for word in words]) == 1
        line = capsys.readouterr().err
        assert line.count("\n") == 1
        return line

    return run


def test_commands_that_score_refuse_what_no_pinned_key_has_signed(tmp_path: Path, told: Told) -> None:
    home, other = federation(tmp_path / "pact"), federation(tmp_path / "x" / "other")
    site, model = site_of(home, tmp_path / "lab"), home / "releases" / "0001" / "model.onnx"
    own = tmp_path / "mine.onnx"
    shutil.copyfile(SHIPPED, own)
    for command in (["select", "JOB"], ["review", "JOB"], ["watch", "PROJECT"], ["cryosparc", "P1", "J1"]):
        assert "no release; say --own-model if this model is your own" in told(*command, "--model", own)
    assert "no key is pinned there; name your site's folder" in told("select", "JOB", "--model", model)
    foreign = other / "releases" / "0001" / "model.onnx"
    assert "signed by the key" in told("select", "JOB", "--model", foreign, "--trust", site.folder)
    # What is trusted gets as far as the job, which is not there.
    for words in (["--trust", site.folder], ["--trust", home]):
        assert "JOB" in told("select", "JOB", "--model", model, *words)
    assert "JOB" in told("select", "JOB", "--model", own, "--own-model")
    (model.parent / SIGNED).unlink()
    assert "not signed" in told("select", "JOB", "--model", model, "--trust", site.folder)


def test_an_older_release_than_the_federations_own_is_refused(tmp_path: Path, told: Told) -> None:
    home = federation(tmp_path / "pact", 3)
    promote(home / "releases", 2, "test")
    releases = home / "releases"
    words = ["select", "JOB", "--trust", home, "--model"]
    assert "release 1, older than release 2, which is in use" in told(*words, releases / "0001")
    assert "JOB" in told(*words, releases / "0001", "--older")  # gets as far as the job
    assert "JOB" in told(*words, releases / "0002")
    assert "JOB" in told(*words, releases / "0003")  # newer: a candidate that is looked at


def test_a_federations_folder_means_the_release_in_use_there(tmp_path: Path, told: Told) -> None:
    home = federation(tmp_path / "pact", 3)
    releases, options = home / "releases", Namespace(model=home, trust=home, older=False, own_model=False)
    assert checked_model(options) == releases / "0001" / "model.onnx"
    promote(releases, 3, "test")
    assert checked_model(options) == releases / "0003" / "model.onnx"
    flipped(releases / "0003" / "model.onnx")
    words = ["select", "JOB", "--trust", home, "--model", home]
    assert "0003/model.onnx: file: changed since the release was signed" in told(*words)
    shutil.rmtree(releases / "0003")
    assert "0003: model: no such file" in told(*words)
    (releases / "current").write_text("../../elsewhere")
    assert "current: content: b'../../elsewhere'; promote a release again" in told(*words)


def test_release_verify_says_what_was_signed(
    tmp_path: Path, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    home = federation(tmp_path / "pact", 2)
    site = site_of(home, tmp_path / "lab")
    assert main(["federation", "release", "verify", str(home)]) == 0
    verified = capsys.readouterr().out
    assert "release 2: signed by SHA256:" in verified
    assert len(verified.partition("in words: ")[2].split()) == 12
    release = home / "releases" / "0002"
    words = ["federation", "release", "verify", str(release), "--trust", str(site.folder)]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "participants   a, b" in shown
    assert f"plan           {'1' * 64}" in shown
    card = json.loads((release / "card.json").read_text())
    (release / "card.json").write_text(json.dumps(card | {"limits": "none"}))
    assert "card.json: file: changed since the release was signed" in told(*words)
