"""The TLS context, and what its errors are taken to mean."""

import os
import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from gwproactor.config.mqtt import TLSInfo
from gwproactor.errors import ConnectRefusedError
from gwproactor.links.mqtt.tls import client_context, refusal
from gwproactor_test.certificates import Certificates


def settings(certificates: Certificates, **changes: object) -> TLSInfo:
    return TLSInfo(use_tls=True, ca_cert_path=certificates.ca_file).model_copy(update=changes)


def handshake(
    client: ssl.SSLContext, server: ssl.SSLContext, host: str = "localhost"
) -> ssl.SSLError | None:
    """Shake hands in memory; what the client gets to see of a failure."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
                end.read(1)
            except (ssl.SSLWantReadError, ssl.SSLSyscallError):
                pass
            except ssl.SSLError as error:
                if end is ends[0]:
                    return error
    return None


def test_it_is_strict_unless_told_otherwise(certificates: Certificates) -> None:
    context = client_context(settings(certificates))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not client_context(settings(certificates, check_hostname=False)).check_hostname


def test_the_system_is_trusted_where_no_authority_is_given() -> None:
    assert client_context(TLSInfo(use_tls=True)).verify_mode == ssl.CERT_REQUIRED


def test_a_good_handshake(certificates: Certificates) -> None:
    assert handshake(client_context(settings(certificates)), certificates.server_context()) is None


@pytest.mark.parametrize(
    ("shown", "cure"),
    [
        ("untrusted_server", "ca_cert"),
        ("wrong_host", "check_hostname"),
        ("expired", "needs a new certificate"),
    ],
)
def test_a_bad_certificate_is_refused_with_the_cure(
    certificates: Certificates, shown: str, cure: str
) -> None:
    server = certificates.server_context(getattr(certificates, shown))
    error = handshake(client_context(settings(certificates)), server)
    assert error is not None
    assert cure in (refusal(error) or "")


def test_old_tls_is_refused(certificates: Certificates) -> None:
    server = certificates.server_context()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        server.minimum_version = server.maximum_version = ssl.TLSVersion.TLSv1_1
    error = handshake(client_context(settings(certificates)), server)
    assert error is not None
    assert "TLS 1.2" in (refusal(error) or "")


def test_ciphers_that_do_not_match_are_refused(certificates: Certificates) -> None:
    server = certificates.server_context()
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    server.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384")
    ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
    error = handshake(client_context(settings(certificates, ciphers=ciphers)), server)
    assert error is not None
    assert "cipher" in (refusal(error) or "")


@pytest.mark.parametrize("shown", ["nothing", "untrusted_client"])
def test_our_certificate_is_refused(certificates: Certificates, shown: str) -> None:
    changes = {}
    if shown != "nothing":
        files = getattr(certificates, shown)
        changes = {"cert_path": files.cert_file, "private_key_path": files.key_file}
    server = certificates.server_context(require_client_certificate=True)
    error = handshake(client_context(settings(certificates, **changes)), server)
    assert error is not None
    assert "our certificate" in (refusal(error) or "")


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError(),
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
        ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF)"),
        ssl.SSLError(1, "something unheard of"),
    ],
)
def test_what_may_pass_is_no_refusal(error: OSError) -> None:
    assert refusal(error) is None


def test_files_that_cannot_be_used_are_named(certificates: Certificates, tmp_path: Path) -> None:
    garbage, missing = tmp_path / "garbage.pem", tmp_path / "missing.pem"
    garbage.write_text("no certificate")
    own = {"cert_path": certificates.client.cert_file}
    for changes, named in (
        ({"ca_cert_path": missing}, str(missing)),
        ({"ca_cert_path": garbage}, str(garbage)),
        ({"ca_cert_path": tmp_path}, str(tmp_path)),
        ({"cert_path": missing}, str(missing)),
        ({"cert_path": garbage}, str(garbage)),
        (own | {"private_key_path": missing}, str(missing)),
        (own | {"private_key_path": certificates.server.key_file}, "belong together"),
    ):
        with pytest.raises(ConnectRefusedError) as raised:
            client_context(settings(certificates, **changes))
        assert named in str(raised.value)


def test_the_key_password_is_used_and_never_shown(certificates: Certificates) -> None:
    files = certificates.with_key_password(certificates.client, "key-secret")
    own = {"cert_path": files.cert_file, "private_key_path": files.key_file}
    client_context(settings(certificates, **own, private_key_password=SecretStr("key-secret")))
    for wrong in (None, SecretStr("wrong-secret")):
        with pytest.raises(ConnectRefusedError, match="key_password") as raised:
            client_context(settings(certificates, **own, private_key_password=wrong))
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize("setting", ["ca_cert_path", "cert_path", "private_key_path"])
def test_a_pipe_is_no_certificate_file(
    certificates: Certificates, tmp_path: Path, setting: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    tls = settings(certificates, **{"cert_path": certificates.ca_file, setting: pipe})
    with pytest.raises(ConnectRefusedError, match="no regular file"):
        client_context(tls)
