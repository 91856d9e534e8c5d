"""Collection through configfs-tsm, against a stand-in for the kernel's files, and through a software TPM."""

import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.trust.attestation.makers import BINDING, NOW, SNP_POLICY, Amd, der

from cryofed.errors import InputError
from cryofed.trust.attestation.collect import collect, collect_in_gramine
from cryofed.trust.attestation.evidence import Evidence, IntelQuote, SnpReport, TpmQuote
from cryofed.trust.attestation.policy import Policy, TpmPolicy
from cryofed.trust.attestation.verifying import verify, verify_under

GUIDS = {
    "vcek": "63da758de6644564adc5f4b93be8accd",
    "ask": "4ab7b379bbac4fe4a02f05aef327c782",
    "ark": "c0b406a4a80349529743" + "3fb6014cd0ae",
}


class Kernel:
    """A folder that behaves like configfs-tsm: a new folder in it is a request, removing it ends it."""

    def __init__(self, root: Path, provider: str, report: object, auxblob: bytes = b"") -> None:
        self.root, self.provider, self.report, self.auxblob = root, provider, report, auxblob
        self.disturbed = False
        root.mkdir()

    def mkdir(self, path: str | Path, *rest: object) -> None:
        MKDIR(path, *rest)  # type: ignore[arg-type]
        entry = Path(path)
        if entry.parent != self.root:
            return
        (entry / "generation").write_text("1\n")
        (entry / "provider").write_text(f"{self.provider}\n")
        (entry / "inblob").touch()
        if self.auxblob:
            (entry / "auxblob").write_bytes(self.auxblob)
        os.mkfifo(entry / "outblob")
        threading.Thread(target=self.answer, args=(entry,), daemon=True).start()

    def answer(self, entry: Path) -> None:
        with (entry / "outblob").open("wb") as file:  # opens when the report is read
            if self.disturbed:
                (entry / "generation").write_text("2\n")
            file.write(self.report((entry / "inblob").read_bytes()))  # type: ignore[operator]

    def rmdir(self, path: str | Path, *rest: object, **named: object) -> None:
        if Path(path).parent == self.root:
            shutil.rmtree(path)
        else:
            RMDIR(path, *rest, **named)  # type: ignore[arg-type]


MKDIR, RMDIR = os.mkdir, os.rmdir


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[[Kernel], Path]:
    def into(kernel: Kernel) -> Path:
        monkeypatch.setattr(os, "mkdir", kernel.mkdir)

        def rmdir(path: Path) -> None:
            kernel.rmdir(path)

        monkeypatch.setattr(Path, "rmdir", rmdir)
        return kernel.root

    return into


def table(amd: Amd) -> bytes:
    """AMD's certificates as the host hands them over: lines, an empty line, then the certificates."""
    parts = {"vcek": der(amd.vcek), "ask": der(amd.ask), "ark": der(amd.ark)}
    at, lines = 24 * (len(parts) + 1), b""
    for part, raw in parts.items():
        lines += bytes.fromhex(GUIDS[part]) + at.to_bytes(4, "little") + len(raw).to_bytes(4, "little")
        at += len(raw)
    return lines + bytes(24) + b"".join(parts.values())


def test_an_snp_guest_collects_what_then_verifies(tmp_path: Path, plug) -> None:  # type: ignore[no-untyped-def]
    amd = Amd()
    tsm = plug(Kernel(tmp_path / "tsm", "sev_guest", amd.report, table(amd)))
    evidence = collect(BINDING, tmp_path, tsm)
    assert verify_under(amd.roots, evidence, SNP_POLICY, BINDING, NOW).refusals == ()
    assert list(tsm.iterdir()) == []  # the request is closed again


def test_certificates_that_the_host_keeps_back_come_from_the_operators_folder(tmp_path: Path, plug) -> None:  # type: ignore[no-untyped-def]
    amd = Amd()
    tsm = plug(Kernel(tmp_path / "tsm", "sev_guest", amd.report))
    with pytest.raises(InputError, match=r"vcek\.der: endorsement"):
        collect(BINDING, tmp_path, tsm)
    for part in ("vcek", "ask", "ark"):
        (tmp_path / f"{part}.der").write_bytes(der(getattr(amd, part)))
    (tmp_path / "crl.der").write_bytes(amd.crl())
    evidence = collect(BINDING, tmp_path, tsm)
    assert isinstance(evidence.machine, SnpReport)
    assert evidence.machine.crl == (tmp_path / "crl.der").read_bytes()
    assert verify_under(amd.roots, evidence, SNP_POLICY, BINDING, NOW).refusals == ()


def test_a_tdx_guest_collects_its_quote(tmp_path: Path, plug) -> None:  # type: ignore[no-untyped-def]
    tsm = plug(Kernel(tmp_path / "tsm", "tdx_guest", lambda told: b"quote of " + told))
    (tmp_path / "collateral.json").write_bytes(b"{}")
    evidence = collect(BINDING, tmp_path, tsm)
    assert evidence.machine == IntelQuote(quote=b"quote of " + BINDING.report_data, collateral=b"{}")
    assert evidence.claims == BINDING


def test_a_request_that_another_process_wrote_to_is_refused(tmp_path: Path, plug) -> None:  # type: ignore[no-untyped-def]
    kernel = Kernel(tmp_path / "tsm", "sev_guest", Amd().report)
    kernel.disturbed = True
    with pytest.raises(InputError, match="another process wrote to this request; ask again"):
        collect(BINDING, tmp_path, plug(kernel))
    assert list(kernel.root.iterdir()) == []


def test_an_unknown_provider_a_cut_table_and_no_kernel_are_refused(tmp_path: Path, plug) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="configfs-tsm: not there; run inside a confidential machine"):
        collect(BINDING, tmp_path, tmp_path / "nowhere")
    with pytest.raises(InputError, match="provider: 'arm_cca'"):
        collect(BINDING, tmp_path, plug(Kernel(tmp_path / "one", "arm_cca", lambda told: told)))
    amd = Amd()
    cut = Kernel(tmp_path / "two", "sev_guest", amd.report, table(amd)[:200])
    with pytest.raises(InputError, match="a table that is cut"):
        collect(BINDING, tmp_path, plug(cut))


def test_an_enclave_under_gramine_collects_its_quote(tmp_path: Path) -> None:
    (tmp_path / "quote").write_bytes(b"quote")
    (tmp_path / "collateral.json").write_bytes(b"{}")
    evidence = collect_in_gramine(BINDING, tmp_path, tmp_path)
    assert (tmp_path / "user_report_data").read_bytes() == BINDING.report_data
    assert evidence.machine == IntelQuote(quote=b"quote", collateral=b"{}")
    with pytest.raises(InputError, match="run under gramine-sgx"):
        collect_in_gramine(BINDING, tmp_path, tmp_path / "nowhere")


def test_a_software_tpm_reaches_measured_boot(tmp_path: Path) -> None:
    """A quote by tpm2-tools of a running swtpm: another program's bytes, not the tests' own."""
    tools = ("swtpm", "tpm2_createek", "tpm2_quote")
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        pytest.skip(f"no {', '.join(missing)}: apt-get install swtpm tpm2-tools libtss2-tcti-swtpm0")
    state = tmp_path / "state"
    state.mkdir()
    command = [
        "swtpm",
        "socket",
        "--tpm2",
        "--tpmstate",
        f"dir={state}",
        "--flags",
        "not-need-init,startup-clear",
    ]
    sockets = [tmp_path / "data", tmp_path / "data.ctrl"]
    command += ["--server", f"type=unixio,path={sockets[0]}", "--ctrl", f"type=unixio,path={sockets[1]}"]
    registers = (0, 1, 2, 3, 4, 5, 7, 8, 9)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as tpm:
        try:
            environment = {**os.environ, "TPM2TOOLS_TCTI": f"swtpm:path={sockets[0]}"}

            def tool(*words: str) -> None:
                subprocess.run(
                    words, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=60
                )

            for _ in range(600):  # half a minute on a busy machine
                if sockets[0].exists():
                    break
                threading.Event().wait(0.05)
            tool("tpm2_createek", "-G", "ecc", "-c", "ek.ctx")
            tool("tpm2_createak", "-C", "ek.ctx", "-c", "ak.ctx", "-G", "ecc", "-s", "ecdsa", "-g", "sha256",
                 "-u", "ak.pub", "-n", "ak.name")  # fmt: skip
            tool("tpm2_flushcontext", "-t")
            tool("tpm2_readpublic", "-c", "ak.ctx", "-f", "der", "-o", "ak.der")
            selected = "sha256:" + ",".join(str(number) for number in registers)
            tool("tpm2_quote", "-c", "ak.ctx", "-l", selected, "-q", BINDING.short.hex(),
                 "-m", "attest", "-s", "signature", "-o", "pcrs", "-F", "values", "-g", "sha256")  # fmt: skip
        finally:
            tpm.terminate()
    values = (tmp_path / "pcrs").read_bytes()
    key = (tmp_path / "ak.der").read_bytes()
    machine = TpmQuote(
        attest=(tmp_path / "attest").read_bytes(),
        signature=(tmp_path / "signature").read_bytes(),
        key=key,
        pcrs=tuple((number, values[32 * at : 32 * at + 32]) for at, number in enumerate(registers)),
    )
    agreed = TpmPolicy(
        measurements=frozenset({hashlib.sha256(values).hexdigest()}),
        keys=frozenset({hashlib.sha256(key).hexdigest()}),
    )
    verdict = verify(Evidence(machine=machine, claims=BINDING), Policy(tpm=agreed), BINDING, NOW)
    assert verdict.refusals == ()
    assert verdict.status == "measured-boot"
