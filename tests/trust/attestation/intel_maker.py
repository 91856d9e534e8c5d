"""An Intel platform of our own: quotes and collateral with Intel's layouts under a root of the tests."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from tests.trust.attestation.makers import BINDING, DAY, NOW

from cryofed.trust.attestation.binding import Binding
from cryofed.trust.attestation.evidence import Evidence, IntelQuote
from cryofed.trust.attestation.roots import Roots

SGX_OID = "1.2.840.113741.1.13.1"
FMSPC, PPID = bytes.fromhex("00906ed50000"), b"\x05" * 16
CPU_SVN, PCE_SVN = bytes([3, 3, 2, 2, 3, 1, 0, 5] + [0] * 8), 11
QE_SIGNER, VENDOR = b"\x0d" * 32, bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
MR = bytes(range(48))  # every measurement register


def tlv(tag: int, *parts: bytes) -> bytes:
    """One DER value."""
    body = b"".join(parts)
    size = len(body)
    length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + body


def oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    raw = bytes([40 * first + second])
    for number in rest:
        group = [number & 127]
        while number := number >> 7:
            group.insert(0, number & 127 | 128)
        raw += bytes(group)
    return tlv(6, raw)


def pck_extension() -> bytes:
    """Intel, SGX PCK Certificate and Certificate Revocation List Profile Specification, section 1.3.5."""

    def entry(number: str, value: bytes) -> bytes:
        return tlv(0x30, oid(f"{SGX_OID}.{number}"), value)

    parts = [entry(f"2.{index}", tlv(2, bytes([svn]))) for index, svn in enumerate(CPU_SVN, 1)]
    tcb = tlv(0x30, *parts, entry("2.17", tlv(2, bytes([PCE_SVN]))), entry("2.18", tlv(4, CPU_SVN)))
    rest = [entry("3", tlv(4, bytes(2))), entry("4", tlv(4, FMSPC)), entry("5", tlv(10, b"\0"))]
    return tlv(0x30, entry("1", tlv(4, PPID)), entry("2", tcb), *rest)


def raw_signature(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _usage(authority: bool) -> x509.KeyUsage:
    """Signs documents, or certificates and lists."""
    return x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)


@dataclass
class Intel:
    """A platform, and what Intel says of it."""

    status: str = "UpToDate"
    last: timedelta = DAY  # of everything that Intel says, after NOW

    def __post_init__(self) -> None:
        self.root, self.ca, self.pck, self.signer = (
            ec.generate_private_key(ec.SECP256R1()) for _ in range(4)
        )
        self.root_certificate = self.certificate("Root", self.root, "Root", self.root, authority=True)
        self.ca_certificate = self.certificate("PCK CA", self.ca, "Root", self.root, authority=True)
        self.pck_certificate = self.certificate("PCK", self.pck, "PCK CA", self.ca, extension=pck_extension())
        self.signing = self.certificate("TCB Signing", self.signer, "Root", self.root)

    @staticmethod
    def certificate(
        subject: str, key: Any, issuer: str, by: Any, *, authority: bool = False, extension: bytes = b""
    ) -> x509.Certificate:
        def name(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"TEST Intel {text}")])

        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 30 * DAY)
            .not_valid_after(NOW + 30 * DAY)
            .add_extension(x509.BasicConstraints(authority, None), True)
            .add_extension(
                x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False),
                True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), False)
        )
        if extension:
            unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(SGX_OID), extension)
            builder = builder.add_extension(unknown, False)
        return builder.sign(by, hashes.SHA256())

    def crl(self, issuer: x509.Certificate, key: Any, revoked: x509.Certificate | None = None) -> str:
        builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
        builder = builder.last_update(NOW - DAY).next_update(NOW + self.last)
        builder = builder.add_extension(x509.CRLNumber(1), False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False
        )
        if revoked is not None:
            entry = x509.RevokedCertificateBuilder().serial_number(revoked.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(NOW - DAY).build())
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER).hex()

    def collateral(self, kind: str, *, revoked: bool = False) -> bytes:
        """Intel's answers, as dcap-qvl writes them."""
        dates = {
            "issueDate": f"{NOW - DAY:%Y-%m-%dT%H:%M:%SZ}",
            "nextUpdate": f"{NOW + self.last:%Y-%m-%dT%H:%M:%SZ}",
            "tcbEvaluationDataNumber": 17,
        }
        past = "2024-03-13T00:00:00Z"
        tcb: dict[str, Any] = {"sgxtcbcomponents": [{"svn": svn} for svn in CPU_SVN], "pcesvn": PCE_SVN}
        info: dict[str, Any] = {"id": kind, "version": 3, **dates}
        info |= {"fmspc": FMSPC.hex().upper(), "pceId": "0000", "tcbType": 0}
        if kind == "TDX":
            tcb["tdxtcbcomponents"] = [{"svn": 0}] * 16
            module = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
            info["tdxModule"] = module
        info["tcbLevels"] = [{"tcb": tcb, "tcbDate": past, "tcbStatus": self.status}]
        identity = {
            "id": "TD_QE" if kind == "TDX" else "QE", "version": 2, **dates,
            "miscselect": "00" * 4, "miscselectMask": "FF" * 4,
            "attributes": "11" + "00" * 15, "attributesMask": "FB" + "FF" * 7 + "00" * 8,
            "mrsigner": QE_SIGNER.hex().upper(), "isvprodid": 1,
            "tcbLevels": [{"tcb": {"isvsvn": 8}, "tcbDate": past, "tcbStatus": "UpToDate"}],
        }  # fmt: skip
        signing = self.pem(self.signing, self.root_certificate)
        told = {
            "pck_crl_issuer_chain": self.pem(self.ca_certificate, self.root_certificate),
            "root_ca_crl": self.crl(self.root_certificate, self.root),
            "pck_crl": self.crl(self.ca_certificate, self.ca, self.pck_certificate if revoked else None),
            "tcb_info_issuer_chain": signing,
            "qe_identity_issuer_chain": signing,
        }
        for name, document in (("tcb_info", info), ("qe_identity", identity)):
            text = json.dumps(document, separators=(",", ":"))
            told |= {name: text, f"{name}_signature": raw_signature(self.signer, text.encode()).hex()}
        return json.dumps(told).encode()

    @staticmethod
    def pem(*chain: x509.Certificate) -> str:
        return "".join(one.public_bytes(Encoding.PEM).decode() for one in chain)

    def quote(self, kind: str, report_data: bytes, attributes: int) -> bytes:
        """A quote of version 3 (SGX) or 4 (TDX)."""
        tdx = kind == "TDX"
        header = (
            (4 if tdx else 3).to_bytes(2, "little") + b"\x02\0" + (0x81 if tdx else 0).to_bytes(4, "little")
        )
        header += bytes(4) + VENDOR + bytes(20)
        flags = attributes.to_bytes(8, "little")
        if tdx:  # TCB, module (96 and attributes), TD's attributes, XFAM, MRTD, three of configuration, RTMR
            body = bytes(16 + 104) + flags + bytes(8) + MR + bytes(144) + 4 * MR + report_data
        else:
            body = (
                CPU_SVN
                + bytes(32)
                + flags
                + bytes(8)
                + MR[:32]
                + bytes(32)
                + bytes(32 + 96 + 64)
                + report_data
            )
        signed = header + body
        attest = ec.generate_private_key(ec.SECP256R1())
        key = attest.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
        auth = b"auth" * 8
        qe = CPU_SVN + bytes(32) + b"\x11" + bytes(15) + b"\x01" * 32 + bytes(32) + QE_SIGNER + bytes(96)
        qe += (1).to_bytes(2, "little") + (8).to_bytes(2, "little") + bytes(60)
        qe += hashlib.sha256(key + auth).digest() + bytes(32)
        chain = self.pem(self.pck_certificate, self.ca_certificate, self.root_certificate).encode()
        certified = qe + raw_signature(self.pck, qe) + len(auth).to_bytes(2, "little") + auth
        certified += (5).to_bytes(2, "little") + len(chain).to_bytes(4, "little") + chain
        if tdx:
            certified = (6).to_bytes(2, "little") + len(certified).to_bytes(4, "little") + certified
        signature = raw_signature(attest, signed) + key + certified
        return signed + len(signature).to_bytes(4, "little") + signature

    def evidence(
        self, kind: str, binding: Binding = BINDING, *, attributes: int | None = None, revoked: bool = False
    ) -> Evidence:
        usual = 1 << 28 if kind == "TDX" else 5  # SEPT_VE_DISABLE; INIT and MODE64BIT
        raw = self.quote(kind, binding.report_data, usual if attributes is None else attributes)
        machine = IntelQuote(quote=raw, collateral=self.collateral(kind, revoked=revoked))
        return Evidence(machine=machine, claims=binding)

    @property
    def roots(self) -> Roots:
        point = self.root.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return Roots(
            amd={},
            intel=hashlib.sha384(point).hexdigest(),
            nvidia="",
            intel_certificate=self.root_certificate.public_bytes(Encoding.DER),
        )
