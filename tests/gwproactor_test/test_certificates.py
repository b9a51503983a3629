"""The certificates are good and bad in the ways their names say; TLS itself is in test_login."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gwproactor_test.certificates import Certificates


def test_files_are_there(tmp_path: Path) -> None:
    made = Certificates(tmp_path)
    for files in (made.server, made.client, made.wrong_host, made.expired, made.untrusted_server):
        certificate = x509.load_pem_x509_certificate(files.cert_file.read_bytes())
        key = serialization.load_pem_private_key(files.key_file.read_bytes(), password=None)
        assert certificate.public_key() == key.public_key()
    assert made.ca_file.read_bytes() != made.untrusted_ca_file.read_bytes()


def test_an_encrypted_key_needs_its_password(certificates: Certificates) -> None:
    encrypted = certificates.with_key_password(certificates.client, "open sesame")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLError):
        context.load_cert_chain(encrypted.cert_file, encrypted.key_file, password="wrong")
    context.load_cert_chain(encrypted.cert_file, encrypted.key_file, password="open sesame")
    assert encrypted.key_file != certificates.client.key_file
