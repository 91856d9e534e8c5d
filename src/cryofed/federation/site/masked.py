"""A site in a masked round: it trains, keeps its update at home, and lets out only what a sum can use.

Between the steps everything lies in the site's own folder, `masks/`: the guarded update, the attempt's key
until its one use, and the ledger that keeps a mask from serving twice. So any process of the site can take
the next step, and one that was killed goes on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryofed.disk.arrays import read_arrays, write_arrays
from cryofed.disk.whole import write_whole
from cryofed.errors import CryoFedError, GuardError
from cryofed.federation.agreement.masking import Seal, mask_rules, weight
from cryofed.federation.agreement.plan import Plan
from cryofed.federation.wire.orders import Order
from cryofed.federation.wire.papers import Paper, Sealed, pack_sealed
from cryofed.federation.wire.updates import Update
from cryofed.trust.masks.ledger import MaskLedger
from cryofed.trust.masks.masking import Secrets
from cryofed.trust.masks.messages import Call, Complete, Offers
from cryofed.trust.masks.site import Member, answer_call, answer_complete, answer_offers


@dataclass(frozen=True, slots=True)
class Signet:
    """What a site of a masked federation holds: who the others are, and where its own key lies."""

    seal: Seal
    key: Path  # private, of the site's certificate

    def read(self) -> Any:
        """The private key."""
        from cryofed.trust.keys import read_key

        return read_key(self.key)


@dataclass(frozen=True, slots=True)
class MaskFolder:
    """`masks/` in a site's folder."""

    folder: Path
    update: Path = field(init=False)
    call: Path = field(init=False)
    key: Path = field(init=False)
    ledger: Path = field(init=False)

    def __post_init__(self) -> None:
        for name, file in (
            ("update", "update.safetensors"),
            ("call", "call.json"),
            ("key", "key.json"),
            ("ledger", "ledger.jsonl"),
        ):
            object.__setattr__(self, name, self.folder / file)


def keep(update: Update, order: Order, plan: Plan, folder: Path | None) -> bytes:
    """Keep a guarded update at home; what leaves says only that the site has trained."""
    if folder is None:
        raise GuardError("mask", "a masked round needs a folder for its ledger")
    place = MaskFolder(folder / "masks")
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    record = {
        "round_number": order.round_number,
        "model_hash": order.model_hash,
        "start_hash": order.start_hash,
        "weight": weight(plan, update.site, update.examples),
    }
    write_arrays(place.update, {"vector": update.vector}, record)
    sealed = Sealed(
        site=update.site, task="train", round_number=order.round_number, model_hash=order.model_hash
    )
    return pack_sealed(sealed)


def answer_paper(paper: Paper, plan: Plan, name: str, folder: Path | None, signet: Signet | None) -> bytes:
    """The site's part in the next step.

    Raises:
        GuardError: the step is not as agreed, or would use a mask twice; the site sits the attempt out.
    """
    if not plan.masked or signet is None or folder is None:
        raise GuardError("mask", "a step of a masked round, and this federation's agreement has no masks")
    place = MaskFolder(folder / "masks")
    vector, record = _kept(place, paper)
    rules = mask_rules(plan, signet.seal, paper.start_hash, len(vector))
    member = Member(site=name, rules=rules, ledger=MaskLedger(place.ledger), identity=signet.read())
    if paper.task == "offer":
        call = Call.from_bytes(paper.content)
        offer, own = answer_call(member, call, bytes.fromhex(record["model_hash"]))
        write_whole(place.call, paper.content)
        secret = {"call": call.hash.hex(), "key": own.key.private_bytes_raw().hex(), "seed": own.seed.hex()}
        write_whole(place.key, json.dumps(secret).encode(), mode=0o600)
        content = offer.to_bytes()
    elif paper.task == "mask":
        offers = Offers.from_bytes(paper.content)
        own = _own(place, offers.call, name)
        content = answer_offers(member, own, offers, vector, record["weight"]).to_bytes()
        place.key.unlink()  # it has served
    else:
        complete = Complete.from_bytes(paper.content)
        content = answer_complete(member, _call(place, complete.call), complete).to_bytes()
    sealed = Sealed(
        site=name,
        task=paper.task,
        round_number=paper.round_number,
        model_hash=paper.model_hash,
        content=content,
    )
    return pack_sealed(sealed)


def _kept(place: MaskFolder, paper: Paper) -> tuple[Any, dict[str, Any]]:
    """The update of this round, and what was noted beside it."""
    try:
        arrays, told = read_arrays(place.update)
    except (CryoFedError, OSError):
        raise GuardError("mask-order", "no update was kept here; the site must train first") from None
    if any(told[name] != getattr(paper, name) for name in ("round_number", "model_hash", "start_hash")):
        raise GuardError("mask-order", "the update that was kept is of another round or model")
    return arrays["vector"], told


def _call(place: MaskFolder, wanted: bytes) -> Call:
    try:
        call = Call.from_bytes(place.call.read_bytes())
    except (CryoFedError, OSError):
        raise GuardError("mask-order", "no attempt was begun here") from None
    if call.hash != wanted:
        raise GuardError("mask-order", "another attempt was begun here last")
    return call


def _own(place: MaskFolder, call: bytes, name: str) -> Secrets:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    try:
        secret = json.loads(place.key.read_bytes())
        key = X25519PrivateKey.from_private_bytes(bytes.fromhex(secret["key"]))
    except (OSError, ValueError, KeyError):
        raise GuardError("mask-used", "this attempt's key was used already, or never made") from None
    if secret["call"] != call.hex():
        raise GuardError("mask-order", "the offers are of another attempt than this site's key")
    return Secrets(_call(place, call), name, key, bytes.fromhex(secret["seed"]))
