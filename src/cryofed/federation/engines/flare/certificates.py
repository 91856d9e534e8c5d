"""Keys, requests and certificates: FLARE's own commands, called in process, with their errors in one line."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryofed.errors import FederationError, InputError, MissingPackageError

_LARGEST_MEMBER = 1_000_000  # bytes; a real request is 4 kB


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What someone asks the coordinator to sign: read from the CSR, not from the words beside it."""

    name: str
    organization: str
    role: str  # site | aggregator | lead | member | org_admin
    fingerprint: str  # of the public key


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The part of a certificate that people compare."""

    name: str
    organization: str
    fingerprint: str  # of the public key
    issuer: str
    first_day: datetime
    last_day: datetime


def fingerprint(digest: bytes) -> str:
    """`SHA256:AB:CD:…`, the form in which people read it to each other."""
    return "SHA256:" + digest.hex(":").upper()


def same_fingerprint(one: str, other: str) -> bool:
    """Compare as people type them: case, colons, blanks and the prefix do not matter."""

    def bare(text: str) -> str:
        return "".join(text.split()).upper().removeprefix("SHA256:").replace(":", "")

    return bool(bare(one)) and bare(one) == bare(other)


def make_authority(folder: Path, profile: Path, days: int) -> str:
    """Make the root certificate and key in `folder / "authority"`; return the root's fingerprint.

    FLARE's option for an organization is never used: it makes a root whose subject differs from the issuer
    that it writes into certificates, and no chain verifies.
    """
    from nvflare.tool.cert.cert_commands import handle_cert_init

    output = str(folder / "authority")
    data = _call(
        folder, handle_cert_init, profile=str(profile), output_dir=output, org=None,
        valid_days=days, deploy_version="00",
    )  # fmt: skip
    return str(data["rootca_fingerprint_sha256"])


def make_request(folder: Path, federation: str, participant: dict[str, object]) -> Path:
    """Make a private key in `folder` and a request to sign it; return the file to send (no key inside)."""
    from nvflare.tool.cert.cert_commands import handle_cert_request

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    definition = folder / "participant.json"  # JSON is YAML too
    definition.write_text(json.dumps({"name": federation, "participants": [participant]}))
    data = _call(folder, handle_cert_request, participant=str(definition), output_dir=str(folder))
    return Path(data["request_zip"])


def sign(folder: Path, request: Path, profile: Path, days: int, output: Path) -> Path:
    """Sign a request with the authority in `folder`; what came of it is verified before it is handed out."""
    from nvflare.tool.cert.cert_commands import handle_cert_approve

    authority = folder / "authority"
    output.unlink(missing_ok=True)
    _call(
        folder, handle_cert_approve, request_zip=str(request), ca_dir=str(authority),
        signed_zip=str(output), profile=str(profile), valid_days=days,
    )  # fmt: skip
    wanted = read_request(request)
    with zipfile.ZipFile(output) as archive:
        leaf = archive.read(f"{wanted.name}.crt")
    try:
        check_chain(leaf, (authority / "rootCA.pem").read_bytes(), output)
        _check_is(leaf, wanted, request)
    except InputError:
        output.unlink()
        raise
    return output


def _check_is(leaf: bytes, wanted: Request, path: Path) -> None:
    """Refuse a certificate of another name, role or key than was shown: FLARE reads other parts of it."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    certificate = x509.load_pem_x509_certificate(leaf)
    told = [
        attribute.value
        for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.UNSTRUCTURED_NAME)
        for attribute in certificate.subject.get_attributes_for_oid(oid)
    ]
    role = {"site": "client", "aggregator": "server"}.get(wanted.role, wanted.role)
    same_key = _key_fingerprint(certificate.public_key()) == wanted.fingerprint
    if told != [wanted.name, wanted.organization, role] or not same_key:
        raise InputError(path, "request", "its parts do not agree", "ask the site for a new request")


def package(folder: Path, signed: Path, request: Path, authority_fingerprint: str, kit: Path) -> Path:
    """Turn an answer of the coordinator and the own key into a kit; the key then lies in the kit alone."""
    from nvflare.tool.package.package_commands import handle_package

    with tempfile.TemporaryDirectory(dir=folder, prefix=".package-") as workspace:
        data = _call(
            folder, handle_package, input=str(signed), workspace=workspace,
            request_dir=str(request), expected_fingerprint=authority_fingerprint,
        )  # fmt: skip
        Path(data["output_dir"]).rename(kit)
    for key in request.glob("*.key"):
        key.unlink()
    return kit


def read_request(path: Path) -> Request:
    """Read a request and check that its words agree with the key that it wants signed."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        with zipfile.ZipFile(path) as archive:
            if any(member.file_size > _LARGEST_MEMBER for member in archive.infolist()):
                raise InputError(path, "size", "a part of over 1 MB", "ask the site for a new request")
            told = json.loads(archive.read("request.json"))
            csr = x509.load_pem_x509_csr(archive.read(f"{told['name']}.csr"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise InputError(
            path, "request", _short(error), "give the NAME.request.zip of `site join`"
        ) from error
    name = str(csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    organizations = csr.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    organization = str(organizations[0].value) if organizations else ""
    if (name, organization) != (told["name"], told.get("org", "")) or not csr.is_signature_valid:
        raise InputError(path, "request", "words and key do not agree", "ask the site for a new request")
    role = {"client": "site", "server": "aggregator"}.get(told.get("cert_type"), told.get("cert_type"))
    return Request(
        name=name, organization=organization, role=str(role), fingerprint=_key_fingerprint(csr.public_key())
    )


def read_certificate(path: Path) -> Certificate:
    """Read a PEM certificate."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(path, "certificate", _short(error), "join the federation again") from error

    def word(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
        values = name.get_attributes_for_oid(oid)
        return str(values[0].value) if values else ""

    return Certificate(
        name=word(found.subject, NameOID.COMMON_NAME),
        organization=word(found.subject, NameOID.ORGANIZATION_NAME),
        fingerprint=_key_fingerprint(found.public_key()),
        issuer=word(found.issuer, NameOID.COMMON_NAME),
        first_day=found.not_valid_before_utc,
        last_day=found.not_valid_after_utc,
    )


def check_chain(leaf: bytes, root: bytes, path: Path, now: datetime | None = None) -> None:
    """Refuse a certificate that `root` did not issue or that is not valid `now`."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    now = now or datetime.now(UTC)
    certificate, authority = x509.load_pem_x509_certificate(leaf), x509.load_pem_x509_certificate(root)
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise InputError(
            path, "certificate", "not issued by this federation's authority",
            "join this federation with its own invitation",
        ) from error  # fmt: skip
    for what, one in (("certificate", certificate), ("authority", authority)):
        if one.not_valid_after_utc < now:
            day = one.not_valid_after_utc.date()
            remedy = (
                "renew it: `cryofed site join INVITATION --renew`, and the coordinator approves with --renew"
            )
            raise InputError(path, what, f"expired on {day}", remedy)
        if one.not_valid_before_utc > now:
            raise InputError(
                path, what, f"not valid before {one.not_valid_before_utc}", "set this machine's clock"
            )


def authority_fingerprint(path: Path) -> str:
    """SHA-256 over the root certificate, as FLARE prints it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    return fingerprint(x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256()))


def need_flare() -> None:
    """Refuse in one line where the engine is not installed, or is another version than the one adapted."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("nvflare")
    except PackageNotFoundError as error:
        raise MissingPackageError("nvflare", "flare") from error
    if not found.startswith("2.9."):
        raise FederationError(f"nvflare {found} is installed; run: pip install 'nvflare==2.9.*'")


def _key_fingerprint(key: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return fingerprint(hashlib.sha256(der).digest())


def _call(
    folder: Path, handler: Callable[[argparse.Namespace], object], **arguments: object
) -> dict[str, Any]:
    """Run one FLARE command here; its audit files and temporary files lie in `folder`."""
    from nvflare.tool.cli_output import set_output_format

    printed = io.StringIO()
    set_output_format("json")
    with _at_home(folder), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        try:
            handler(argparse.Namespace(schema=False, force=False, **arguments))
        except SystemExit:
            pass  # FLARE exits on errors; what it printed says why
        finally:
            set_output_format("txt")
    try:
        answer = json.loads(printed.getvalue())
    except json.JSONDecodeError as error:
        raise FederationError(f"FLARE gave no answer: {printed.getvalue()[:200]!r}") from error
    if answer.get("status") != "ok":
        raise FederationError(f"{answer.get('error_code')}: {answer.get('message')}")
    data: dict[str, Any] = answer["data"]
    return data


@contextlib.contextmanager
def _at_home(folder: Path) -> Iterator[None]:
    """FLARE writes audit files to HOME and unpacks in the shared temporary folder: both are `folder` here."""
    kept, directory = os.environ.get("HOME"), tempfile.tempdir
    with tempfile.TemporaryDirectory(dir=folder, prefix=".temporary-") as temporary:
        os.environ["HOME"], tempfile.tempdir = str(folder), temporary
        try:
            yield
        finally:
            tempfile.tempdir = directory
            if kept is None:
                del os.environ["HOME"]
            else:
                os.environ["HOME"] = kept


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:120]
