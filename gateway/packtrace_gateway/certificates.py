"""Certificates for a gateway in a local network: an authority of its own, which phones install, and what it signs.

A browser gives a page the camera only over TLS, and no public authority signs for `192.168.1.20`. The one made here may
sign for the names and addresses that it was made with, and for no others (RFC 5280, section 4.2.1.10): a phone that
trusts it trusts it for this gateway alone, even if its key is stolen.
"""

import ipaddress
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from packtrace.errors import PacktraceError

AUTHORITY_DAYS = 3650
# Phones refuse server certificates that are good for longer (Apple: 825 days; browsers' own authorities: 398).
SERVER_DAYS = 397
RENEW_DAYS = 30  # before its end a certificate is made anew
LOOPBACK = ("localhost", "127.0.0.1")
MAX_NAMES = 32
_CLOCKS_DIFFER = timedelta(hours=1)
_DNS_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


class CertificateError(PacktraceError):
    """A certificate that cannot be made or used."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where everything is: in the folder `tls` of the gateway's."""

    folder: Path

    @property
    def authority(self) -> Path:
        """The authority's certificate: what phones install."""
        return self.folder / "authority.crt"

    @property
    def authority_key(self) -> Path:
        return self.folder / "authority.key"

    @property
    def certificate(self) -> Path:
        return self.folder / "gateway.crt"

    @property
    def key(self) -> Path:
        return self.folder / "gateway.key"


@dataclass(frozen=True, slots=True)
class Issued:
    """What was done: `made` says whether a new certificate was needed; `fingerprint` is the authority's SHA-256."""

    made: bool
    names: tuple[str, ...]
    until: datetime
    fingerprint: str


def issue(files: Files, gateway: str, names: Sequence[str] = (), *, now: datetime | None = None) -> Issued:
    """A certificate for `names` and this machine itself, from the folder's authority, which is made if there is none.

    Without names those of the certificate before stay. Nothing is done where there is a good one for all of them that
    does not end within `RENEW_DAYS`. Raises CertificateError for a name that is none, or that the authority may not
    sign for.
    """
    now = now or datetime.now(UTC)
    before = _certificate(files.certificate) if files.certificate.exists() else None
    wanted = _wanted(names or (_names_of(before) if before else ()))
    authority, key = _authority(files, gateway, wanted, now)
    allowed = _allowed(authority)
    for name in wanted:
        if name not in allowed:
            raise CertificateError(
                "the authority was made for other names, and phones would refuse this one. Move the folder away to "
                "make a new authority, which each phone has to install",
                field=str(files.folder),
                value=name,
                rule="names: " + ", ".join(sorted(allowed)),
            )
    shown = fingerprint(authority)
    if before and set(_names_of(before)) == set(wanted) and _good(before, authority, files.key, now):
        return Issued(False, tuple(wanted), before.not_valid_after_utc, shown)
    until = min(now + timedelta(days=SERVER_DAYS), authority.not_valid_after_utc)
    if until < now + timedelta(days=RENEW_DAYS):
        raise CertificateError(
            f"the authority itself ends on {authority.not_valid_after_utc:%Y-%m-%d}: move the folder away to make a "
            "new one, which each phone has to install",
            field=str(files.folder),
        )
    own = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted[0])]))
        .issuer_name(authority.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in wanted]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    # The key first: a gateway that reads in between has an old certificate with a new key, and says so.
    _write(files.key, _pem_key(own), secret=True)
    _write(files.certificate, made.public_bytes(serialization.Encoding.PEM), secret=False)
    return Issued(True, tuple(wanted), until, shown)


def ends(file: Path) -> datetime:
    """When a certificate ends. Raises CertificateError when the file is no certificate."""
    return _certificate(file).not_valid_after_utc


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 as phones show it, to compare by eye."""
    text = certificate.fingerprint(hashes.SHA256()).hex().upper()
    return ":".join(text[at : at + 2] for at in range(0, len(text), 2))


def _authority(
    files: Files, gateway: str, names: Iterable[str], now: datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    if files.authority.exists():
        try:
            key = serialization.load_pem_private_key(files.authority_key.read_bytes(), None)
        except (OSError, ValueError) as error:
            raise CertificateError(
                f"the authority's key cannot be read: {error}", field=str(files.authority_key)
            ) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise CertificateError("not a key that was made here", field=str(files.authority_key))
        return _certificate(files.authority), key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"packtrace: {gateway}"[:64])])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .add_extension(x509.NameConstraints([_constraint(entry) for entry in names], None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(files.authority_key, _pem_key(key), secret=True)
    _write(files.authority, made.public_bytes(serialization.Encoding.PEM), secret=False)
    return made, key


def _good(certificate: x509.Certificate, authority: x509.Certificate, key: Path, now: datetime) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
        own = serialization.load_pem_private_key(key.read_bytes(), None)
    except Exception:  # by another authority, or by a broken one, or without its key: all are made anew
        return False
    if own.public_key() != certificate.public_key():  # cut short between the two files
        return False
    return certificate.not_valid_after_utc - now > timedelta(days=RENEW_DAYS)


def _wanted(names: Iterable[str]) -> list[str]:
    """The names, each once, in the form that a certificate has them; then those of the machine itself."""
    found = list(dict.fromkeys([*(_normal(name) for name in names), *LOOPBACK]))
    if len(found) > MAX_NAMES:
        raise CertificateError("too many names for one certificate", value=len(found), rule=f"at most {MAX_NAMES}")
    return found


def _normal(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        lower = name.lower().rstrip(".")
        if not _DNS_NAME.fullmatch(lower) or re.fullmatch(r"[0-9.]+", lower):
            raise CertificateError("neither a host's name nor an IP address", value=name, rule="RFC 1123") from None
        return lower


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _constraint(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(name)


def _allowed(authority: x509.Certificate) -> set[str]:
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    return {str(entry.value).partition("/")[0] for entry in constraints}


def _names_of(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(entry.value) for entry in names]


def _certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError) as error:
        raise CertificateError(f"not a certificate that can be read: {error}", field=str(file)) from None


def _usage(*, signature: bool = False, certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signature,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(file: Path, content: bytes, *, secret: bool) -> None:
    """Whole or not at all; a key is never readable by others, not even for a moment."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if secret else 0o644)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)
