"""The ledger: a mask never serves twice, however the site ends; kill -9 in every phase."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.trust.masks.sites import first_call, group, opened, sent, updates

from cryofed.errors import GuardError, InputError
from cryofed.trust.masks.ledger import MaskLedger
from cryofed.trust.masks.messages import Complete


def test_an_attempt_is_begun_once_and_never_after_a_later_one(tmp_path: Path) -> None:
    sites, rules = group(tmp_path, 3, numbers=10)
    ledger = sites[0].ledger
    call = first_call(rules, sites)
    ledger.begin(call)
    for old in (call, replace(call, roster=("s00", "s01"))):  # the roster does not make it another attempt
        with pytest.raises(GuardError, match="masks are not used twice"):
            ledger.begin(old)
    ledger.begin(replace(call, attempt=2))
    ledger.begin(replace(call, round_number=2))
    with pytest.raises(GuardError, match="attempt 1 of round 2 was begun already"):
        ledger.begin(replace(call, attempt=3))
    ledger.begin(replace(call, campaign=bytes(32)))  # another campaign counts from 1 again


def test_a_masked_update_is_released_once_and_only_if_begun(tmp_path: Path) -> None:
    sites, rules = group(tmp_path, 3, numbers=10)
    ledger, call = sites[0].ledger, first_call(rules, sites)
    with pytest.raises(GuardError, match="used already, or never made"):
        ledger.release(call, bytes(32), bytes(32))
    ledger.begin(call)
    ledger.release(call, bytes(32), b"s" * 32)
    with pytest.raises(GuardError, match="used already"):
        ledger.release(call, bytes(32), b"t" * 32)
    with pytest.raises(GuardError, match="released no masked update"):
        ledger.open(call, Complete(call.hash, b"x" * 32), "s00")  # of other offers
    assert ledger.open(call, Complete(call.hash, bytes(32)), "s00").seed == b"s" * 32


def test_a_line_that_a_crash_cut_short_is_taken_away_and_a_foreign_one_stops_the_site(tmp_path: Path) -> None:
    sites, rules = group(tmp_path, 3, numbers=10)
    ledger, call = sites[0].ledger, first_call(rules, sites)
    ledger.begin(call)
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole + whole[:20])
    ledger.release(call, bytes(32), bytes(32))
    assert len(ledger.path.read_bytes().splitlines()) == 2
    ledger.path.write_bytes(whole + b"junk\n")
    with pytest.raises(InputError, match="restore the file"):
        ledger.begin(replace(call, attempt=2))
    assert ledger.path.stat().st_mode & 0o777 == 0o600


# One step of a site in a process of its own, which is then killed as `kill -9` does.
STEP = """
import os, sys
from pathlib import Path
from cryofed.trust.masks.ledger import MaskLedger
from cryofed.trust.masks.messages import Call, Complete
ledger, call = MaskLedger(Path(sys.argv[1])), Call.from_bytes(bytes.fromhex(sys.argv[2]))
step = sys.argv[3]
if step == "begin":
    ledger.begin(call)
elif step == "release":
    ledger.release(call, bytes.fromhex(sys.argv[4]), bytes.fromhex(sys.argv[5]))
else:
    ledger.open(call, Complete(call.hash, bytes.fromhex(sys.argv[4])), "s00")
os.kill(os.getpid(), 9)
"""


def killed(ledger: MaskLedger, call: str, step: str, *more: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STEP, str(ledger.path), call, step, *more],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr


def test_a_site_that_is_killed_before_it_masked_begins_again_with_other_secrets(tmp_path: Path) -> None:
    sites, rules = group(tmp_path, 3, numbers=100)
    call = first_call(rules, sites)
    killed(sites[0].ledger, call.to_bytes().hex(), "begin")
    with pytest.raises(GuardError, match="mask-used"):
        sites[0].offer(call)
    again = replace(call, attempt=2)
    offers, masked = sent(sites, again, rules, *updates(3, 100))
    assert opened(sites, again, offers, masked, rules).sites == 3


def test_a_site_that_is_killed_after_it_masked_never_masks_again_with_the_same(tmp_path: Path) -> None:
    sites, rules = group(tmp_path, 3, numbers=100)
    call = first_call(rules, sites)
    sites[0].ledger.begin(call)
    killed(sites[0].ledger, call.to_bytes().hex(), "release", "00" * 32, "11" * 32)
    with pytest.raises(GuardError, match="used already"):
        sites[0].ledger.release(call, bytes(32), bytes(32))
    # The bytes may have left: the same attempt can still be opened, with the seed that was used.
    assert sites[0].ledger.open(call, Complete(call.hash, bytes(32)), "s00").seed == b"\x11" * 32


def test_a_site_that_is_killed_while_it_opens_opens_the_same_bits(tmp_path: Path) -> None:
    sites, rules = group(tmp_path, 3, numbers=100)
    vectors, weights = updates(3, 100)
    call = first_call(rules, sites)
    offers, masked = sent(sites, call, rules, vectors, weights)
    killed(sites[0].ledger, call.to_bytes().hex(), "open", offers.hash.hex())
    total = opened(sites, call, offers, masked, rules)
    again = opened(sites, call, offers, masked, rules)  # an aggregator that was killed asks a second time
    assert total.vector.tobytes() == again.vector.tobytes()
