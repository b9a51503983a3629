"""Certificates for tests of TLS: good ones, and one for each way of being bad.

They are made anew in a folder of the test's, by trustme; nothing in them is secret.
"""

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A certificate with its chain, and its key, as PEM files."""

    cert_file: Path
    key_file: Path


class Certificates:
    """A certificate authority with what it issued, and another that nobody trusts.

    Args:
        folder: where the files go; it must exist.

    The attributes are files, ready when this returns; the methods make ssl contexts of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        authority, stranger = trustme.CA(), trustme.CA()
        self.ca_file = self._write_authority(authority, "ca")
        self.untrusted_ca_file = self._write_authority(stranger, "untrusted-ca")
        local = ("localhost", "127.0.0.1", "::1")
        long_ago = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
        self.server = self._write(authority.issue_cert(*local), "server")
        self.client = self._write(authority.issue_cert("client@test.example"), "client")
        self.wrong_host = self._write(authority.issue_cert("elsewhere.example"), "wrong-host")
        self.expired = self._write(authority.issue_cert(*local, not_after=long_ago), "expired")
        self.untrusted_server = self._write(stranger.issue_cert(*local), "untrusted-server")
        self.untrusted_client = self._write(
            stranger.issue_cert("client@test.example"), "untrusted-client"
        )

    def server_context(
        self, files: CertificateFiles | None = None, *, require_client_certificate: bool = False
    ) -> ssl.SSLContext:
        """Make a server's context.

        Args:
            files: what the server shows; the good server certificate unless told otherwise.
            require_client_certificate: admit only clients with one of our authority's.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        shown = files or self.server
        context.load_cert_chain(shown.cert_file, shown.key_file)
        if require_client_certificate:
            context.load_verify_locations(self.ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client_context(
        self, ca_file: Path | None = None, certificate: CertificateFiles | None = None
    ) -> ssl.SSLContext:
        """Make a client's context.

        Args:
            ca_file: whom it trusts; our authority unless told otherwise.
            certificate: what it shows the server, if anything.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(ca_file or self.ca_file)
        if certificate is not None:
            context.load_cert_chain(certificate.cert_file, certificate.key_file)
        return context

    def with_key_password(self, files: CertificateFiles, password: str) -> CertificateFiles:
        """Write the same certificate again, its key encrypted with `password`."""
        key = serialization.load_pem_private_key(files.key_file.read_bytes(), password=None)
        encrypted = files.key_file.with_suffix(".encrypted.pem")
        encrypted.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(password.encode()),
            )
        )
        return CertificateFiles(files.cert_file, encrypted)

    def _write_authority(self, authority: trustme.CA, name: str) -> Path:
        path = self._folder / f"{name}.pem"
        authority.cert_pem.write_to_path(str(path))
        return path

    def _write(self, leaf: trustme.LeafCert, name: str) -> CertificateFiles:
        files = CertificateFiles(
            self._folder / f"{name}.cert.pem", self._folder / f"{name}.key.pem"
        )
        for number, certificate in enumerate(leaf.cert_chain_pems):
            certificate.write_to_path(str(files.cert_file), append=number > 0)
        leaf.private_key_pem.write_to_path(str(files.key_file))
        return files
