"""What trust costs: seconds and bytes of each profile beside `open`, and of verifying evidence.

`python -m benchmarks trust`; `python -m benchmarks.trust --numbers 400000` for another size of vector. Masks
are timed in one process. Then each profile runs on every engine that an environment of this checkout has, as
real processes (`benchmarks.federations.profiled`; `--alone` leaves that out). Verification is timed on
genuine evidence, where ../shared is there. The tables go between the marks of docs/trust.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from benchmarks.engines import ROOT, python_with, within
from benchmarks.measuring.page import write_between
from cryofed.federation.agreement.engines import engine_names
from cryofed.federation.wire.codecs import decode, encode
from cryofed.trust.attestation.binding import Exact
from cryofed.trust.attestation.evidence import Evidence, IntelQuote, SnpReport
from cryofed.trust.attestation.policy import IntelPolicy, Policy, SnpPolicy
from cryofed.trust.attestation.verifying import verify
from cryofed.trust.keys import key_fingerprint
from cryofed.trust.masks.fixed_point import FixedPoint
from cryofed.trust.masks.ledger import MaskLedger
from cryofed.trust.masks.masking import gather, unmask
from cryofed.trust.masks.messages import Complete, Masked
from cryofed.trust.masks.rules import MaskRules, new_call
from cryofed.trust.masks.site import Member, answer_call, answer_complete, answer_offers

Rows = dict[str, dict[str, float]]  # by engine

PAGE = ROOT / "docs" / "trust.md"
NUMBERS = 1_000_000
MOST_S = 285  # of one engine; what is not done by then is left out
MODEL = hashlib.sha256(b"model").digest()


def group(folder: Path, count: int, numbers: int) -> list[Member]:
    keys = {f"site-{index:03}": Ed25519PrivateKey.generate() for index in range(count)}
    rules = MaskRules(
        campaign=MODEL,
        identities={name: key_fingerprint(key.public_key()) for name, key in keys.items()},
        min_sites=3,
        numbers=numbers,
        fixed=FixedPoint(max_norm=10.0, max_weight=1e6, max_sites=100),
    )
    return [
        Member(site=name, rules=rules, ledger=MaskLedger(folder / name), identity=key)
        for name, key in keys.items()
    ]


def spent(work: Callable[[], object], repeats: int) -> float:
    """Median milliseconds of processor time, of one thread's work."""
    seconds = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return 1000 * statistics.median(seconds)


def masks(count: int, numbers: int, repeats: int) -> str:
    """One line of the table: one site's and the aggregator's part of a round of so many sites."""
    site, aggregator, sent, error = [], [], 0, 0.0
    vector = np.random.default_rng(0).normal(0, numbers**-0.5, numbers).astype(np.float32)
    for repeat in range(1, repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            members = group(Path(folder), count, numbers)
            rules = members[0].rules
            call = new_call(rules, repeat, MODEL, [member.site for member in members])
            answered = [answer_call(member, call, MODEL) for member in members]
            offers = gather(call, [offer for offer, _ in answered], rules)
            rows = []
            for member, (_, own) in zip(members, answered, strict=True):
                begun = time.process_time()
                rows.append(answer_offers(member, own, offers, vector, 100.0).to_bytes())
                site.append(time.process_time() - begun)
            openings = {m.site: answer_complete(m, call, Complete(call.hash, offers.hash)) for m in members}
            begun = time.process_time()
            arrived = (Masked.from_bytes(row, numbers + 1) for row in rows)
            total = unmask(call, arrived, openings, rules)
            aggregator.append(time.process_time() - begun)
            own_bytes = (
                len(answered[0][0].to_bytes()) + len(rows[0]) + len(next(iter(openings.values())).to_bytes())
            )
            sent = own_bytes
            error = max(error, float(np.abs(total.vector - vector).max()))
    received = (
        len(call.to_bytes()) + len(offers.to_bytes()) + len(Complete(call.hash, offers.hash).to_bytes())
    )
    return (
        f"| masked, {count} sites | {1000 * statistics.median(site):.0f} | "
        f"{1000 * statistics.median(aggregator) / count:.1f} | {sent / 1e6:.2f} | {received / 1e3:.1f} | "
        f"{sent / (4 * numbers):.2f} | {error:.0e} |"
    )


def genuine() -> dict[str, tuple[Evidence, Policy, Exact, datetime]]:
    """Real evidence by platform; empty where the development data are absent."""
    places = [os.environ.get("CRYOFED_SHARED"), Path(__file__).parents[2] / "shared"]
    found = [Path(p) / "data/attestation" for p in places if p and (Path(p) / "data/attestation").is_dir()]
    if not found:
        return {}
    amd, intel = found[0] / "virtee-sev", found[0] / "dcap-qvl"
    ask, ark = (
        one.public_bytes(Encoding.DER)
        for one in x509.load_pem_x509_certificates((amd / "cert_chain_milan").read_bytes())
    )
    report = bytes.fromhex((amd / "report_milan.hex").read_text().strip())
    snp = SnpReport(report=report, vcek=(amd / "vcek_milan.der").read_bytes(), ask=ask, ark=ark)
    agreed = SnpPolicy(measurements=frozenset({report[0x90:0xC0].hex()}), require_crl=False)
    wanted = Exact(report_data=report[0x50:0x90])
    now = datetime(2026, 11, 1, tzinfo=UTC)
    cases = {"AMD SEV-SNP, Milan": (Evidence(machine=snp), Policy(snp=agreed), wanted, now)}
    for kind, at, changes in (
        ("tdx", 568, {"allow_dynamic_platform": True, "allow_cached_keys": True}),
        ("sgx", 368, {"statuses": frozenset({"ConfigurationAndSWHardeningNeeded"})}),
    ):
        raw = (intel / f"{kind}_quote").read_bytes()
        quote = IntelQuote(quote=raw, collateral=(intel / f"{kind}_quote_collateral.json").read_bytes())
        evidence = Evidence(machine=quote)
        then = datetime(2025, 7, 1, tzinfo=UTC)  # Intel's collateral is valid for 30 days
        told = verify(evidence, Policy(), Exact(), then).measured["measurement"]
        policy = Policy(**{kind: IntelPolicy(measurements=frozenset({told}), **changes)})  # type: ignore[arg-type]
        cases[f"Intel {kind.upper()}"] = (evidence, policy, Exact(report_data=raw[at : at + 64]), then)
    return cases


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust", description=__doc__)
    parser.add_argument("--numbers", type=int, default=NUMBERS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--alone", action="store_true", help="no engine; a minute")
    options = parser.parse_args([] if arguments is None else arguments)
    page = {"masks": in_one_process(options.numbers, options.repeats)}
    print(page["masks"], flush=True)
    if not options.alone:
        page["profiles"] = over_engines()
        print(page["profiles"], flush=True)
    if evidence := of_evidence(options.repeats):
        page["evidence"] = evidence
        print(evidence)
    else:
        print("genuine evidence is not here: its rows are left out")
    if options.numbers == NUMBERS:
        write_between(PAGE, page)


def in_one_process(numbers: int, repeats: int) -> str:
    """The table of masks."""
    lines = [
        f"{numbers:,} numbers, processor time of one thread, medians of {repeats}; {where()}.",
        "",
        "| profile | site, ms | aggregator for each site, ms | sent, MB | received, kB | times `open` "
        "| error |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    vector = np.random.default_rng(0).normal(0, 1e-3, numbers).astype(np.float32)
    encoded = encode(vector, "float32")
    packing = spent(lambda: hashlib.sha256(encode(vector, "float32").payload).digest(), repeats)
    adding = spent(lambda: np.add(vector, decode(encoded, numbers)), repeats)
    lines.append(f"| open | {packing:.0f} | {adding:.1f} | {4 * numbers / 1e6:.2f} | 0.0 | 1.00 | 0 |")
    lines += [masks(count, numbers, repeats if count <= 10 else 1) for count in (3, 10, 50)]
    return "\n".join(lines)


def over_engines() -> str:
    """The table of profiles over real engines."""
    rows: dict[str, Rows] = {}
    for engine in real_engines():
        python = python_with(engine)
        if python is None:
            print(f"{engine}: left out, no environment of this checkout has it: make test-{engine}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "figures"
            within(MOST_S, [python, "-m", "benchmarks.federations.profiled", engine, str(file)])
            lines = file.read_text().splitlines() if file.exists() else []
        print(engine, *lines, sep="\n", flush=True)
        for one in map(json.loads, lines):
            rows.setdefault(one["profile"], {})[engine] = one
    return profiles(rows)


def real_engines() -> list[str]:
    return [name for name in engine_names() if name != "embedded"]


def profiles(rows: Mapping[str, Rows]) -> str:
    """Seconds by profile and engine, and what a site sends; `–`: not measured, or not in its time."""
    heads = [f"`{engine}`, s" for engine in real_engines()]
    lines = [
        f"Three sites, the shipped network; seconds of a round (medians of four); {where()}.",
        "",
        f"| profile | {' | '.join(heads)} | sent, MB | messages | times `open` |",
        "|---|" + "---:|" * (len(heads) + 3),
    ]
    for profile, found in rows.items():
        cells = [f"{found[one]['seconds']:.1f}" if one in found else "–" for one in real_engines()]
        sent, said = (statistics.median(one[name] for one in found.values()) for name in ("bytes", "said"))
        plain = statistics.median(one["bytes"] for one in rows["open"].values())
        lines.append(
            f"| `{profile}` | {' | '.join(cells)} | {sent / 1e6:.2f} | {said:.0f} | {sent / plain:.2f} |"
        )
    return "\n".join(lines)


def of_evidence(repeats: int) -> str:
    """The table of genuine evidence; empty where there is none."""
    cases = genuine()
    lines = ["| evidence | verify, ms | status |", "|---|---:|---|"]
    for name, case in cases.items():
        took = spent(lambda case=case: verify(*case), 20 * repeats)  # type: ignore[misc]  # mypy takes no default here
        lines.append(f"| {name} | {took:.1f} | {verify(*case).status} |")
    return "\n".join(lines) if cases else ""


def where() -> str:
    """Day and machine; figures of a busy one are too slow, never too fast."""
    day = datetime.now(UTC).date().isoformat()
    return f"{day}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}"


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
