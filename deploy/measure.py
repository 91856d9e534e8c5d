"""What goes into the agreement: the digest of the image, and the launch measurement of a machine with it.

    python deploy/measure.py image deploy/aggregator.oci
    python deploy/measure.py snp --ovmf OVMF.amdsev.fd --kernel vmlinuz --initrd initrd.gz --cmdline cmdline

The digest of an image is no proof by itself: nothing but the host says that this image runs. It becomes one
through the launch measurement, which covers firmware, kernel, initrd and command line, and by the hash on
the command line every byte of the image (deploy/confidential-vm). SNP's is computed here, by IBM's
sev-snp-measure (Apache-2.0). TDX's MRTD and RTMR depend on the firmware's own event log and are read from a
first start; SGX's MRENCLAVE is printed by gramine-sgx-sigstruct-view.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path


def image_digest(layout: Path) -> str:
    """The digest of the one image in an OCI layout, after every file below it was hashed again."""
    index = json.loads((layout / "index.json").read_text())
    manifests = index["manifests"]
    if len(manifests) != 1:
        sys.exit(f"{layout}: {len(manifests)} images; push one alone")
    digest: str = manifests[0]["digest"]
    manifest = json.loads(_blob(layout, digest))
    for part in (manifest["config"], *manifest["layers"]):
        _blob(layout, part["digest"])
    return digest


def _blob(layout: Path, digest: str) -> bytes:
    kind, _, value = digest.partition(":")
    if kind != "sha256" or not (layout / "blobs/sha256" / value).is_file():
        sys.exit(f"{layout}: no file for {digest}")
    raw = (layout / "blobs/sha256" / value).read_bytes()
    if hashlib.sha256(raw).hexdigest() != value:
        sys.exit(f"{layout}: {digest}: another content; push the image again")
    return raw


def snp_measurement(options: argparse.Namespace) -> str:
    """The launch digest of a machine that QEMU starts with `kernel-hashes=on`."""
    try:
        from sevsnpmeasure import guest, vcpu_types
        from sevsnpmeasure.sev_mode import SevMode
    except ImportError:
        sys.exit("sev-snp-measure is not installed; run: pip install sev-snp-measure")
    command_line = options.cmdline.read_text().strip() if options.cmdline else ""
    try:
        digest = guest.calc_launch_digest(
            SevMode.SEV_SNP,
            options.vcpus,
            vcpu_types.CPU_SIGS[options.vcpu_type],
            str(options.ovmf),
            str(options.kernel) if options.kernel else None,
            str(options.initrd) if options.initrd else None,
            command_line,
            options.features,
        )
    except (RuntimeError, OSError, ValueError) as error:
        sys.exit(
            f"{options.ovmf}: {error}; use an OVMF that was built for SEV-SNP with kernel hashes (AmdSev)"
        )
    return str(digest.hex())


def main() -> None:
    """Print one of them."""
    parser = argparse.ArgumentParser(prog="deploy/measure.py", description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    image = kinds.add_parser("image", help="digest of an OCI layout")
    image.add_argument("layout", type=Path)
    snp = kinds.add_parser("snp", help="launch digest of an SEV-SNP machine")
    snp.add_argument("--ovmf", type=Path, required=True)
    snp.add_argument("--kernel", type=Path)
    snp.add_argument("--initrd", type=Path)
    snp.add_argument("--cmdline", type=Path, help="file with the command line, as QEMU gets it")
    snp.add_argument("--vcpus", type=int, default=4)
    snp.add_argument("--vcpu-type", default="EPYC-v4")
    snp.add_argument(
        "--features", type=lambda word: int(word, 0), default=0x1, help="guest features; KVM: 0x1"
    )
    options = parser.parse_args()
    if options.kind == "image":
        print(image_digest(options.layout))
    else:
        print(f'[attestation.snp]\nmeasurements = ["{snp_measurement(options)}"]')


if __name__ == "__main__":
    main()
