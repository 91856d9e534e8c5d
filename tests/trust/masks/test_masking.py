"""Masked rounds: the sum is right, nobody's update can be read, and every trick has its refusal."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.trust.masks.sites import CAMPAIGN, FIXED, MODEL, first_call, group, opened, sent, updates

from cryofed.errors import FederationError, GuardError, WireError
from cryofed.trust.masks.fixed_point import FixedPoint
from cryofed.trust.masks.masking import check_masked, gather, make_offer, mask, unmask
from cryofed.trust.masks.messages import Offer
from cryofed.trust.masks.rules import MaskRules, check_call, collusion_threshold, new_call, restart
from cryofed.trust.masks.signing import sign


@pytest.mark.parametrize("count", [3, 4, 10])
def test_the_sum_of_masked_updates_is_the_weighted_mean(tmp_path: Path, count: int) -> None:
    sites, rules = group(tmp_path, count, numbers=70_000)  # more than one block
    vectors, weights = updates(count, 70_000)
    call = first_call(rules, sites)
    offers, masked = sent(sites, call, rules, vectors, weights)
    total = opened(sites, call, offers, masked, rules)
    right = sum(w * v.astype(np.float64) for w, v in zip(weights, vectors, strict=True)) / sum(weights)
    # Half a step for each site, divided by the weights; then float32's own rounding.
    assert np.abs(total.vector - right).max() < count * 2.0**-FIXED.fraction_bits + 1e-8
    assert total.weight == sum(weights)
    assert total.sites == count


def test_the_order_in_which_updates_arrive_does_not_change_a_bit(tmp_path: Path) -> None:
    sites, rules = group(tmp_path, 5, numbers=1000)
    call = first_call(rules, sites)
    offers, masked = sent(sites, call, rules, *updates(5, 1000))
    one = opened(sites, call, offers, masked, rules)
    other = opened(sites, call, offers, masked[::-1], rules)
    assert one.vector.tobytes() == other.vector.tobytes()


def test_a_masked_update_and_sums_of_a_part_are_noise(tmp_path: Path) -> None:
    sites, rules = group(tmp_path, 4, numbers=50_000)
    vectors, weights = updates(4, 50_000)
    call = first_call(rules, sites)
    offers, masked = sent(sites, call, rules, vectors, weights)
    plain = sum(rules.fixed.words(v, w) for v, w in zip(vectors, weights, strict=True))[:-1].view(np.int64)
    # All four masked updates without one opening are as random as one of them alone.
    for words in (masked[0].words, sum(one.words for one in masked[:3]), sum(one.words for one in masked)):
        noise = words[:-1].view(np.int64).astype(np.float64)
        assert abs(np.corrcoef(noise, plain)[0, 1]) < 5 / 50_000**0.5  # five deviations of chance
        assert abs(np.mean(noise) / 2**63) < 5 * (1 / 3 / 50_000) ** 0.5  # uniform on [-2^63, 2^63)
        assert abs(np.std(noise) / 2**63 - 3**-0.5) < 0.01
    openings = {site.name: site.opening(call, offers) for site in sites}
    three = {name: opening for name, opening in openings.items() if name != "s03"}
    with pytest.raises(FederationError, match="has not opened its own mask"):
        unmask(call, masked, three, rules)
    with pytest.raises(FederationError, match="has not sent its masked update"):
        unmask(call, masked[:3], openings, rules)


def test_weights_are_masked_too(tmp_path: Path) -> None:
    sites, rules = group(tmp_path, 3, numbers=10)
    vectors, _ = updates(3, 10)
    _, masked = sent(sites, first_call(rules, sites), rules, vectors, [7.0, 7.0, 7.0])
    assert len({int(one.words[-1]) for one in masked}) == 3  # the same weight, three random words


def test_all_but_one_see_the_last_ones_update_as_with_any_sum(tmp_path: Path) -> None:
    """The limit that the report prints: n - 2 sites may join the aggregator, n - 1 may not."""
    sites, rules = group(tmp_path, 3, numbers=1000)
    vectors, weights = updates(3, 1000)
    call = first_call(rules, sites)
    offers, masked = sent(sites, call, rules, vectors, weights)
    total = opened(sites, call, offers, masked, rules)
    rest = total.vector * np.float64(total.weight) - sum(
        w * v.astype(np.float64) for v, w in zip(vectors[1:], weights[1:], strict=True)
    )
    assert np.abs(rest / weights[0] - vectors[0]).max() < 1e-6
    assert [collusion_threshold(n) for n in (2, 3, 10)] == [0, 1, 8]


def test_a_round_goes_on_with_a_smaller_roster_and_other_masks(tmp_path: Path) -> None:
    sites, rules = group(tmp_path, 4, numbers=1000)
    vectors, weights = updates(4, 1000)
    call = first_call(rules, sites)
    _, first = sent(sites, call, rules, vectors, weights)
    left = sites[:3]  # the fourth went away before it opened its mask
    again = restart(rules, call, [site.name for site in left])
    assert (again.attempt, again.roster) == (2, ("s00", "s01", "s02"))
    offers, second = sent(left, again, rules, vectors[:3], weights[:3])
    total = opened(left, again, offers, second, rules)
    right = sum(w * v.astype(np.float64) for w, v in zip(weights[:3], vectors[:3], strict=True)) / sum(
        weights[:3]
    )
    assert np.abs(total.vector - right).max() < 1e-7
    for one, other in zip(first, second, strict=False):  # nothing of a mask serves twice
        assert np.count_nonzero(one.words == other.words) == 0
    with pytest.raises(FederationError, match="2 sites are present, masks need 3"):
        restart(rules, again, ["s00", "s01"])
    with pytest.raises(FederationError, match="s03 was not on the roster"):
        restart(rules, again, ["s00", "s01", "s03"])


def test_masks_hang_on_every_byte_of_all_offers(tmp_path: Path) -> None:
    """The same secrets under other offers, here another signature of the same key, are other masks."""
    sites, rules = group(tmp_path, 3, numbers=50)
    call = first_call(rules, sites)
    made = [make_offer(call, site.name, site.member.identity) for site in sites]
    offers = gather(call, [offer for offer, _ in made], rules)
    again = replace(offers.offers[1], signature=sign(sites[1].member.identity, offers.offers[1].signed()))
    others = gather(call, [offers.offers[0], again, offers.offers[2]], rules)
    vector, own = updates(1, 50)[0][0], made[0][1]
    one, other = (mask(vector, 1.0, own, which, rules).words for which in (offers, others))
    assert np.count_nonzero(one == other) == 0


def test_an_aggregator_that_claims_a_dropout_gets_one_sum_only(tmp_path: Path) -> None:
    """Two sums whose rosters differ by one site would show that site's update."""
    sites, rules = group(tmp_path, 4, numbers=100)
    vectors, weights = updates(4, 100)
    call = first_call(rules, sites)
    offers, masked = sent(sites, call, rules, vectors, weights)
    lie = restart(rules, call, ["s00", "s01", "s02"])  # s03 is there, and has answered
    offers_again, _ = sent(sites[:3], lie, rules, vectors[:3], weights[:3])
    opened(sites, call, offers, masked, rules)
    for site in sites[:3]:
        with pytest.raises(GuardError, match="a second sum could show one site's update"):
            site.opening(lie, offers_again)
    # Neither in a later round from the same model.
    later = new_call(rules, 2, MODEL, ["s00", "s01", "s02"])
    offers_later, _ = sent(sites[:3], later, rules, vectors[:3], weights[:3])
    with pytest.raises(GuardError, match="mask-opening"):
        sites[0].opening(later, offers_later)


def test_a_call_that_is_not_as_agreed_is_refused(tmp_path: Path) -> None:
    sites, rules = group(tmp_path, 4, numbers=10)
    call = first_call(rules, sites)
    check_call(call, rules, "s00", MODEL)
    for code, changed in (
        ("mask-campaign", {"campaign": bytes(32)}),
        ("mask-model", {"model": bytes(32)}),  # another model for this site than for the others
        ("mask-roster", {"roster": ("s01", "s02", "s03")}),
        ("mask-roster", {"roster": ("s00", "s01")}),
        ("mask-roster", {"roster": ("s00", "s01", "x")}),  # a site of the aggregator's own
        ("mask-numbers", {"numbers": 11}),
        ("mask-numbers", {"fraction_bits": 20}),
    ):
        with pytest.raises(GuardError) as refused:
            check_call(replace(call, **changed), rules, "s00", MODEL)
        assert refused.value.code == code


def test_offers_that_were_swapped_replayed_or_left_out_are_refused(tmp_path: Path) -> None:
    sites, rules = group(tmp_path, 4, numbers=10)
    call = first_call(rules, sites)
    offers = [site.offer(call) for site in sites]
    good = gather(call, offers, rules)
    vectors, _ = updates(1, 10)

    def refused(changed: list[Offer], words: str) -> None:
        with pytest.raises(GuardError, match=words):
            sites[0].masked(vectors[0], 1.0, replace(good, offers=tuple(changed)))

    key = bytes([9]) * 32
    refused([*offers[:3], replace(offers[3], key=key)], "s03 did not sign the key")
    forged = replace(offers[3], key=key)
    forged = replace(forged, signature=sign(Ed25519PrivateKey.generate(), forged.signed()))
    refused([*offers[:3], forged], "s03 did not sign")
    refused(offers[:3], "not those of this roster")
    refused([offers[1], offers[0], *offers[2:]], "not those of this roster")
    refused([*offers[:3], replace(offers[3], key=offers[2].key)], "two sites offer the same key")
    older = replace(call, round_number=2)
    replayed = [replace(offer, call=older.hash) for offer in offers]
    refused(replayed, "s00 answers another call")
    # A signed key that gives the same secret with everyone.
    null = Offer("s03", call.hash, bytes(32), b"", offers[3].identity)
    null = replace(null, signature=sign(sites[3].member.identity, null.signed()))
    refused([*offers[:3], null], "offers a key that is no key")
    # And the good ones still serve: a refusal has burnt nothing.
    sites[0].masked(vectors[0], 1.0, good)


def test_a_masked_update_of_another_attempt_or_site_is_refused(tmp_path: Path) -> None:
    sites, rules = group(tmp_path, 3, numbers=10)
    call = first_call(rules, sites)
    offers, masked = sent(sites, call, rules, *updates(3, 10))
    for changed in (
        {"call": bytes(32)},
        {"site": "x"},
        {"offers": bytes(32)},
        {"words": masked[0].words[:-1]},
    ):
        with pytest.raises(WireError, match="mask-call"):
            check_masked(replace(masked[0], **changed), call, offers)


def test_numbers_beyond_the_agreed_range_sit_out(tmp_path: Path) -> None:
    vector = np.zeros(100, np.float32)
    assert FIXED.words(vector, 5.0)[-1] == 5 << FIXED.fraction_bits
    for bad in (np.nan, np.inf, 11.0):
        vector[3] = bad
        with pytest.raises(GuardError, match="longer than the agreed 10"):
            FIXED.words(vector, 5.0)
    for weight in (0.0, -1.0, 2e6, float("nan")):
        with pytest.raises(GuardError, match="weight"):
            FIXED.words(np.zeros(3, np.float32), weight)
    sites, rules = group(tmp_path, 3, numbers=10)
    call = first_call(rules, sites)
    offers = gather(call, [site.offer(call) for site in sites], rules)
    with pytest.raises(GuardError, match="11 numbers, 10 were agreed"):
        sites[0].masked(np.zeros(11, np.float32), 1.0, offers)


def test_the_largest_agreed_numbers_of_all_sites_do_not_overflow() -> None:
    vector = np.zeros(4, np.float32)
    vector[0] = 10.0
    total = sum(FIXED.words(vector, 1e6) for _ in range(64))
    mean, weight = FIXED.mean(total)
    assert weight == 64e6
    assert mean[0] == 10.0


def test_a_sum_that_no_honest_sites_make_is_refused_without_a_name() -> None:
    vector = np.full(4, 2.0, np.float32)
    honest = sum(FIXED.words(vector, 10.0) for _ in range(3))
    liar = FIXED.words(vector, 10.0)
    liar[:-1] *= np.uint64(1000)
    with pytest.raises(WireError, match=r"the mean is .* long, at most 10 was agreed"):
        FIXED.mean(honest + liar)
    with pytest.raises(WireError, match="sum of the weights"):
        FIXED.mean(np.zeros(5, np.uint64))
    with pytest.raises(WireError, match="sum of the weights"):
        FIXED.mean(honest - 4 * FIXED.words(vector, 10.0))


def test_rules_that_would_not_protect_cannot_be_made(tmp_path: Path) -> None:
    _, rules = group(tmp_path, 3, numbers=10)
    with pytest.raises(ValueError, match="masks protect from 3 sites on"):
        replace(rules, min_sites=2)
    with pytest.raises(ValueError, match="2 sites, agreed are 3 to 64"):
        MaskRules(campaign=CAMPAIGN, identities={"a": "1", "b": "2"}, min_sites=3, numbers=10, fixed=FIXED)
    with pytest.raises(ValueError, match="bits are left for fractions"):
        FixedPoint(max_norm=1e6, max_weight=1e6, max_sites=1000)
    with pytest.raises(FederationError, match="2 sites are present"):
        new_call(rules, 1, MODEL, ["s00", "s01"])


def test_an_identity_of_another_kind_cannot_sign() -> None:
    with pytest.raises(FederationError, match="make an identity of Ed25519, EC P-256 or RSA"):
        sign(dsa.generate_private_key(2048), b"x")
