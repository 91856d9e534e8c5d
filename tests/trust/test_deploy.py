"""The files under deploy/: what can be read and computed without the hardware that they are for."""

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from jinja2 import Environment, StrictUndefined

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def layout(folder: Path, layer: bytes = b"layer") -> str:
    """An OCI layout of one image; returns its digest."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(raw: bytes) -> dict[str, object]:
        value = hashlib.sha256(raw).hexdigest()
        (blobs / value).write_bytes(raw)
        return {"digest": f"sha256:{value}", "size": len(raw)}

    manifest = json.dumps({"config": blob(b"{}"), "layers": [blob(layer)]}).encode()
    told = blob(manifest)
    (folder / "index.json").write_text(json.dumps({"manifests": [told]}))
    return str(told["digest"])


def measure(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DEPLOY / "measure.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_digest_of_an_image_is_printed_after_every_file_was_hashed(tmp_path: Path) -> None:
    digest = layout(tmp_path)
    assert measure("image", str(tmp_path)).stdout == f"{digest}\n"
    next(iter((tmp_path / "blobs/sha256").glob(hashlib.sha256(b"layer").hexdigest()))).write_bytes(b"other")
    done = measure("image", str(tmp_path))
    assert done.returncode == 1
    assert "another content; push the image again" in done.stderr


def test_a_launch_digest_needs_its_library_or_a_firmware(tmp_path: Path) -> None:
    done = measure("snp", "--ovmf", str(tmp_path / "none"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "sev-snp-measure" in done.stderr or "OVMF" in done.stderr


def test_gramines_manifest_reads_nothing_that_is_not_measured_or_sealed() -> None:
    class Gramine:
        libos = "/gramine/libsysdb.so"

        @staticmethod
        def runtimedir() -> str:
            return "/gramine/runtime"

    template = (DEPLOY / "cryofed.manifest.template").read_text()
    rendered = Environment(undefined=StrictUndefined, autoescape=False).from_string(template).render(
        gramine=Gramine, entrypoint="/opt/cryofed/bin/python", arch_libdir="/lib/x86_64-linux-gnu", env={}
    )  # fmt: skip
    manifest = tomllib.loads(rendered)
    assert manifest["sgx"]["debug"] is False
    assert manifest["sgx"]["remote_attestation"] == "dcap"
    assert "allowed_files" not in manifest["sgx"]
    assert not [name for name in manifest["loader"] if name.startswith("insecure")]
    trusted = [uri.rstrip("/") for uri in manifest["sgx"]["trusted_files"]]
    for mount in manifest["fs"]["mounts"]:
        assert mount.get("type") in ("tmpfs", "encrypted") or mount["uri"].rstrip("/") in trusted, mount


def test_every_package_of_the_image_has_its_hash_and_none_is_torch() -> None:
    lines = (DEPLOY / "aggregator.lock").read_text().splitlines()[1:]
    names = {line.split("==")[0] for line in lines}
    assert all(line.count("--hash=sha256:") == 1 for line in lines)
    assert {"nvflare", "cryptography", "dcap-qvl", "safetensors"} <= names
    assert not names & {"torch", "scipy", "matplotlib"}


def test_the_image_runs_as_a_number_that_is_not_root_and_builds_without_a_network() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    assert "\nUSER 10001:10001\n" in text
    assert text.count("--no-index") == 2  # both installs
    assert "apt-get" not in text


@pytest.mark.parametrize("script", ["build.sh", "site.slurm", "confidential-vm/make_image.sh"])
def test_the_scripts_are_read_by_bash(script: str) -> None:
    subprocess.run(["bash", "-n", str(DEPLOY / script)], check=True)
