"""TLS towards a broker: the context from settings, and what its errors mean to a person.

The context is made anew for each connection, so that certificates which changed on disk are used
at the next one. Whatever fails here fails for a reason that somebody must remove, so it is a
`ConnectRefusedError` that names the file or the peer's fault, and the cure. Passwords never get
into a message: OpenSSL's own texts, which are passed on, do not hold them.
"""

import ssl
from pathlib import Path

from gwproactor.config.mqtt import TLSInfo
from gwproactor.errors import ConnectRefusedError

_CURES = {
    "CERTIFICATE_HAS_EXPIRED": "the broker needs a new certificate",
    "CERTIFICATE_IS_NOT_YET_VALID": "check this machine's clock",
    "HOSTNAME_MISMATCH": "dial the broker by a name in its certificate, or set check_hostname off",
}
_CURE_OF_DISTRUST = "give the file of the authority that signed it as ca_cert"

# X509_V_ERR_* of OpenSSL, which have no names in the module ssl.
_NAMES_OF_VERIFY_CODES = {
    9: "CERTIFICATE_IS_NOT_YET_VALID",
    10: "CERTIFICATE_HAS_EXPIRED",
    62: "HOSTNAME_MISMATCH",
    64: "HOSTNAME_MISMATCH",
}

_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
_NOTHING_IN_COMMON = ("UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE")


def client_context(tls: TLSInfo) -> ssl.SSLContext:
    """Make the TLS context of one connection. Reads files: not for the loop.

    Raises:
        ConnectRefusedError: A file or the cipher list cannot be used; says which and why.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = tls.check_hostname
    if tls.ciphers is not None:
        context.set_ciphers(tls.ciphers)
    _load_authorities(context, tls.ca_cert_path)
    _load_own_certificate(context, tls)
    return context


def _load_authorities(context: ssl.SSLContext, path: Path | None) -> None:
    if path is None:
        context.load_default_certs()
        return
    _check_readable("ca_cert", path)
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ValueError) as error:
        raise _unusable("ca_cert", path, error) from None


def _load_own_certificate(context: ssl.SSLContext, tls: TLSInfo) -> None:
    if tls.cert_path is None:
        return
    key_path = tls.private_key_path or tls.cert_path
    _check_readable("cert", tls.cert_path)
    _check_readable("key", key_path)
    secret = tls.private_key_password
    # A callable even without a password: OpenSSL would otherwise ask for one on the terminal.
    password = secret.get_secret_value() if secret is not None else ""
    try:
        context.load_cert_chain(tls.cert_path, tls.private_key_path, password=lambda: password)
    except (OSError, ValueError) as error:
        raise ConnectRefusedError(
            f"the TLS files {tls.cert_path} (cert) and {key_path} (key) cannot be used together"
            f" ({_reason(error)}): check that they are PEM, belong together, and that key_password"
            " is the key's password"
        ) from None


def _check_readable(setting: str, path: Path) -> None:
    """Raise now, with the name of the file: load_cert_chain does not say which one it was.

    Nor does it return from a pipe that has nobody at its other end.
    """
    try:
        if path.exists() and not path.is_file():
            raise _unusable(setting, path, ValueError("it is no regular file"))
        path.open("rb").close()
    except OSError as error:
        raise _unusable(setting, path, error) from None


def _unusable(setting: str, path: Path, error: Exception) -> ConnectRefusedError:
    return ConnectRefusedError(
        f"the TLS file {path} ({setting}) cannot be used: {_reason(error)};"
        " it must be readable by this program and in PEM"
    )


def reason_of(error: ssl.SSLError) -> str:
    """OpenSSL's word for an error; empty where it has none."""
    return getattr(error, "reason", None) or ""  # an SSLError not made by OpenSSL lacks it


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return reason_of(error) or "no certificate or key in it"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)


def refusal(error: OSError) -> str | None:
    """What a TLS error of a connection means, where trying again soon cannot help; else None.

    An end or reset of the connection during the handshake is no refusal: a broker that is just
    going down does that too.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        cure = _CURES.get(_NAMES_OF_VERIFY_CODES.get(error.verify_code, ""), _CURE_OF_DISTRUST)
        return f"the broker's certificate is refused: {error.verify_message}; {cure}"
    if not isinstance(error, ssl.SSLError) or isinstance(
        error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError
    ):
        return None
    reason = reason_of(error)
    if reason in _NOT_TLS:
        return f"the broker does not answer in TLS on this port ({reason}); is it an mqtt:// port?"
    if "ALERT" in reason and ("CERT" in reason or "UNKNOWN_CA" in reason):
        return (
            f"the broker refuses our certificate ({reason});"
            " give one that it trusts as cert and key"
        )
    if "ALERT" in reason or reason in _NOTHING_IN_COMMON:
        return f"no TLS version or cipher suits both sides ({reason}); TLS 1.2 is the least"
    return None
