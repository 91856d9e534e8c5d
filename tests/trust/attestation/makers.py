"""Chips of our own: evidence with the makers' layouts under roots that the tests make and only they name."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from cryofed.trust.attestation.amd import TCB
from cryofed.trust.attestation.binding import Binding
from cryofed.trust.attestation.evidence import Evidence, GpuReport, SnpReport, TpmQuote
from cryofed.trust.attestation.policy import GpuPolicy, Policy, SnpPolicy, TpmPolicy
from cryofed.trust.attestation.roots import Roots

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
MEASUREMENT = bytes(range(48))
BINDING = Binding(
    role="aggregator",
    name="hub",
    federation="three-labs",
    tls_key=b"k" * 32,
    nonce=b"n" * 32,
    agreement=b"a" * 32,
)
OID = "1.3.6.1.4.1.3704.1."


@cache
def rsa_key(number: int) -> rsa.RSAPrivateKey:
    """Keys are slow to make; the tests share them."""
    return rsa.generate_private_key(65537, 2048)


def der(certificate: Any) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def spki(key: Any) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certificate(
    subject: str,
    public: Any,
    issuer: str,
    key: Any,
    *,
    authority: bool | None = None,
    extensions: Sequence[tuple[str, bytes]] = (),
    first: dt.datetime = NOW - 30 * DAY,
    last: dt.datetime = NOW + 30 * DAY,
) -> x509.Certificate:
    """One certificate; RSA keys sign by PSS and SHA-384, as AMD's do."""

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
    )
    if authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(authority, None), True)
    for oid, value in extensions:
        builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value), False)
    if isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
        return builder.sign(key, hashes.SHA384(), rsa_padding=pss)
    return builder.sign(key, hashes.SHA384())


@dataclass
class Amd:
    """A processor with AMD's chain of keys above its own."""

    product: str = "Milan-B0"
    line: str = "Milan"
    tcb: bytes = bytes([3, 0, 0, 0, 0, 0, 8, 115])
    chip: bytes = b"\x07" * 64
    vcek_last: dt.datetime = NOW + 30 * DAY
    vcek_key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP384R1()))

    def __post_init__(self) -> None:
        ark, ask = rsa_key(1), rsa_key(2)
        self.ark = certificate("ARK", ark.public_key(), "ARK", ark, authority=True)
        self.ask = certificate("ASK", ask.public_key(), "ARK", ark, authority=True)
        told = [(oid, b"\x02\x01" + self.tcb[i : i + 1]) for i, oid in TCB.values()]
        product = self.product.encode()
        told += [(OID + "4", self.chip), (OID + "2", bytes([0x16, len(product)]) + product)]
        self.vcek = certificate(
            "VCEK", self.vcek_key.public_key(), "ASK", ask, extensions=told, last=self.vcek_last
        )

    @property
    def roots(self) -> Roots:
        pin = hashlib.sha256(spki(rsa_key(1).public_key())).hexdigest()
        return Roots(amd={self.line: pin}, intel="", nvidia="")

    def report(
        self, report_data: bytes, *, measurement: bytes = MEASUREMENT, policy: int = 0x30000, **other: int
    ) -> bytes:
        """`other`: a byte of the report by its offset, as `at_0x30=1`; signed like the rest."""
        raw = bytearray(0x4A0)
        raw[0:4] = (2).to_bytes(4, "little")
        raw[8:16] = policy.to_bytes(8, "little")
        raw[0x34] = 1
        raw[0x50:0x90], raw[0x90:0xC0] = report_data, measurement
        raw[0x180:0x188], raw[0x1A0:0x1E0] = self.tcb, self.chip
        for name, value in other.items():
            raw[int(name.removeprefix("at_"), 16)] = value
        r, s = utils.decode_dss_signature(self.vcek_key.sign(bytes(raw[:0x2A0]), ec.ECDSA(hashes.SHA384())))
        raw[0x2A0:0x2E8], raw[0x2E8:0x330] = r.to_bytes(72, "little"), s.to_bytes(72, "little")
        return bytes(raw)

    def evidence(self, binding: Binding = BINDING, crl: bytes | None = None, **report: Any) -> Evidence:
        raw = self.report(binding.report_data, **report)
        machine = SnpReport(report=raw, vcek=der(self.vcek), ask=der(self.ask), ark=der(self.ark), crl=crl)
        return Evidence(machine=machine, claims=binding)

    def crl(self, *, revoked: int = 0, last: dt.datetime = NOW + DAY, key: Any = None) -> bytes:
        """AMD's list; `revoked` is a certificate's serial number."""
        issuer = self.ark.subject
        builder = x509.CertificateRevocationListBuilder().issuer_name(issuer)
        builder = builder.last_update(NOW - DAY).next_update(last)
        if revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(revoked).revocation_date(NOW - DAY)
            builder = builder.add_revoked_certificate(entry.build())
        pss = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
        signed = builder.sign(key or rsa_key(1), hashes.SHA384(), rsa_padding=pss)
        return signed.public_bytes(Encoding.DER)


SNP_POLICY = Policy(snp=SnpPolicy(measurements=frozenset({MEASUREMENT.hex()}), require_crl=False))


@dataclass
class Gpu:
    """A Hopper GPU with NVIDIA's chain of keys above its own."""

    line: str = "NVIDIA GH100 Identity"

    def __post_init__(self) -> None:
        root, middle, self.key = (ec.generate_private_key(ec.SECP384R1()) for _ in range(3))
        top = "NVIDIA Device Identity CA"
        self.pin = hashlib.sha256(spki(root.public_key())).hexdigest()
        self.chain = (
            der(certificate("GPU", self.key.public_key(), self.line, middle)),
            der(certificate(self.line, middle.public_key(), top, root, authority=True)),
            der(certificate(top, root.public_key(), top, root, authority=True)),
        )

    def report(self, nonce: bytes) -> GpuReport:
        driver, vbios = b"550.90.07\0", bytes.fromhex("009f009601000000")
        opaque = b"".join(
            kind.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value
            for kind, value in ((3, driver), (6, vbios))
        )
        raw = b"\x11\xe0\x01\xff" + nonce + b"\0" + b"\x11\x60\0\0\x01" + (4).to_bytes(3, "little") + b"meas"
        raw += os.urandom(32) + len(opaque).to_bytes(2, "little") + opaque
        r, s = utils.decode_dss_signature(self.key.sign(raw, ec.ECDSA(hashes.SHA384())))
        return GpuReport(report=raw + r.to_bytes(48, "big") + s.to_bytes(48, "big"), chain=self.chain)


GPU_POLICY = GpuPolicy(drivers=frozenset({"550.90.07"}), firmwares=frozenset({"96.00.9F.00.01"}))


@dataclass
class Tpm:
    """A TPM whose key an officer enrolled."""

    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    values: tuple[tuple[int, bytes], ...] = tuple((n, bytes([n]) * 32) for n in (0, 1, 2, 3, 4, 5, 7, 8, 9))

    def evidence(self, binding: Binding = BINDING) -> Evidence:
        def sized(part: bytes) -> bytes:
            return len(part).to_bytes(2, "big") + part

        digest = hashlib.sha256(b"".join(value for _, value in self.values)).digest()
        bits = sum(1 << number for number, _ in self.values).to_bytes(3, "little")
        attest = bytes.fromhex("ff5443478018") + sized(b"name") + sized(binding.short) + bytes(25)
        attest += bytes.fromhex("00000001000b03") + bits + sized(digest)
        r, s = utils.decode_dss_signature(self.key.sign(attest, ec.ECDSA(hashes.SHA256())))
        signature = bytes.fromhex("0018000b") + sized(r.to_bytes(32, "big")) + sized(s.to_bytes(32, "big"))
        key = spki(self.key.public_key())
        return Evidence(
            machine=TpmQuote(attest=attest, signature=signature, key=key, pcrs=self.values), claims=binding
        )

    @property
    def policy(self) -> Policy:
        digest = hashlib.sha256(b"".join(value for _, value in self.values)).hexdigest()
        key = hashlib.sha256(spki(self.key.public_key())).hexdigest()
        return Policy(tpm=TpmPolicy(measurements=frozenset({digest}), keys=frozenset({key})))
