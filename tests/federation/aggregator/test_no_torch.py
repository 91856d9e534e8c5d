"""The aggregator needs no torch: a whole campaign, with its releases, where there is none."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

CODE = """
import sys
from pathlib import Path

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoTorch())

import numpy as np
from cryofed.federation.aggregator.campaign import run_campaign
from cryofed.federation.agreement.plan import EnrolledSite, GateRules, Plan, RoundRules
from cryofed.federation.releases.refill import places_in
from cryofed.federation.releases.store import first_release
from cryofed.federation.wire.codecs import encode
from cryofed.federation.wire.orders import Answer, Numbers, pack_numbers, unpack_order
from cryofed.federation.wire.parcels import pack_update
from cryofed.federation.wire.updates import Update
from cryofed.scoring.calibration import UNKNOWN
from cryofed.scoring.scorer import SHIPPED
from safetensors.numpy import load_file

class Carrier:
    def present(self):
        return ["a", "b"]

    def ask(self, order, sites):
        self.order, self.waiting = unpack_order(order, 10**7), list(sites)

    def answer(self, timeout_s):
        if not self.waiting:
            return None
        order, site = self.order, self.waiting.pop()
        told = {"site": site, "round_number": order.round_number, "model_hash": order.model_hash}
        if order.task != "train":
            values = {"0.auc": 0.9, "1.auc": 0.8, "0.held_out": 50.0} if order.task == "evaluate" else {}
            return Answer(site=site, data=pack_numbers(Numbers(task=order.task, values=values, **told)))
        vector = np.full(len(order.vector), 1e-4, np.float32)
        update = Update(vector=vector, layout_hash=order.layout_hash, examples=10, steps=1, **told)
        return Answer(site=site, data=pack_update(update, encode(vector, "float32")))

    def dismiss(self):
        pass

home = Path(sys.argv[1])
layout, _, _ = places_in(SHIPPED.parent)
start = layout.join(load_file(SHIPPED.with_name("weights.safetensors")))
first_release(home / "releases", start, UNKNOWN, {"origin": "shipped"})
plan = Plan(rounds=RoundRules(count=2), sites=(EnrolledSite(name="a"), EnrolledSite(name="b")))
campaign = run_campaign(home, plan, Carrier())
assert campaign.decision.promoted and campaign.release.number == 2
np.testing.assert_allclose(campaign.release.vector, start + 2e-4, atol=1e-6)
for module in sys.argv[2:]:
    __import__(module)
assert not any(name.partition(".")[0] == "torch" for name in sys.modules)
print("done")
"""
FLARE = (
    "cryofed.federation.engines.flare.aggregator.controller",
    "cryofed.federation.engines.flare.aggregator.doorkeeper",
    "cryofed.federation.engines.flare.coordinator.running",
)


def test_a_campaign_ends_in_a_release_where_torch_cannot_be_imported(tmp_path: Path) -> None:
    modules = FLARE if find_spec("nvflare") else ()
    command = [sys.executable, "-c", CODE, str(tmp_path / "home"), *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)
    assert done.stdout == "done\n", done.stderr
    assert (tmp_path / "home/releases/0002/model.onnx").exists()
