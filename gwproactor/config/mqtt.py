"""How to reach one broker: address, login, TLS, session.

`MQTTClient` holds what one connection needs and nothing of the conversation that runs over it
(that is `gwproactor.config.link`). Secrets are `SecretStr`: they print as asterisks wherever a
settings object ends up.
"""

import re
import ssl
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from gwproactor.config.paths import UserPath
from gwproactor.config.table import Table
from gwproactor.errors import SettingsError

DEFAULT_PORT = 1883
DEFAULT_TLS_PORT = 8883

URL_EXAMPLE = "mqtt://localhost:1883"


class MQTTVersion(StrEnum):
    """The protocol version to speak. There is no silent fallback from one to the other."""

    v5 = "5"
    v311 = "3.1.1"


_NO_HOST = re.compile(r"[\s/@?#\0]")

MAX_STRING_BYTES = 65535
"""What MQTT can carry as a string (MQTT 5, section 1.5.4)."""


def _checked_host(value: str) -> str:
    if _NO_HOST.search(value):
        raise ValueError("it must be the name or the address of a host, and no URL")
    return value


def _checked_string(value: str) -> str:
    if "\0" in value or len(value.encode()) > MAX_STRING_BYTES:
        raise ValueError(f"MQTT takes no text of more than {MAX_STRING_BYTES} bytes, nor a zero")
    return value


def _checked_secret(value: SecretStr) -> SecretStr:
    _checked_string(value.get_secret_value())
    return value


def _known_ciphers(value: str) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(value)
    except (ssl.SSLError, ValueError):
        raise ValueError("it names no cipher that OpenSSL knows") from None
    return value


class TLSInfo(Table):
    """TLS towards the broker.

    Args:
        use_tls: Whether the connection is encrypted at all.
        ca_cert_path: PEM file of the authorities to trust; the system's when not given.
        cert_path: PEM file of this client's certificate, where the broker asks for one.
        private_key_path: PEM file of the key of `cert_path`.
        private_key_password: Password of that key, when it is encrypted.
        check_hostname: Whether the broker's certificate must name the host that was dialled.
        ciphers: OpenSSL cipher list; the library's default when not given.
    """

    use_tls: bool = False
    ca_cert_path: UserPath | None = Field(default=None, examples=["/etc/scada/ca.crt"])
    cert_path: UserPath | None = Field(default=None, examples=["/etc/scada/scada.crt"])
    private_key_path: UserPath | None = Field(default=None, examples=["/etc/scada/scada.pem"])
    private_key_password: SecretStr | None = None
    check_hostname: bool = True
    ciphers: Annotated[str, AfterValidator(_known_ciphers)] | None = Field(
        default=None, examples=["ECDHE+AESGCM"]
    )


def tls_files(certs_dir: Path, client_name: str) -> dict[str, Path]:
    """Where a client's TLS files lie, as the predecessor places them, by their names in `TLSInfo`.

    Args:
        certs_dir: The folder with one for each client.
        client_name: The client.
    """
    folder = certs_dir / client_name
    return {
        "ca_cert_path": folder / "ca.crt",
        "cert_path": folder / f"{client_name}.crt",
        "private_key_path": folder / "private" / f"{client_name}.pem",
    }


class MQTTClient(Table):
    """One broker and how to log in there.

    Args:
        host: Host name or address of the broker.
        port: TCP port; 1883, or 8883 with TLS, when not given.
        username: Login name, if the broker wants one.
        password: Its password.
        username_file: A file whose first line is the login name; read at each connection.
        password_file: A file whose first line is the password; read at each connection.
        keepalive_seconds: After so long without a packet MQTT itself pings the broker.
        protocol: MQTT version, 5 or 3.1.1.
        client_id: MQTT client id; made from this node's and the peer's name when not given.
        tls: TLS settings.
        bind_address: Local address to connect from; any when empty.
        bind_port: Local port to connect from; any when 0.
    """

    host: Annotated[str, AfterValidator(_checked_host)] = Field(default="localhost", min_length=1)
    port: int = Field(default=0, ge=0, le=65535, examples=[DEFAULT_PORT])
    username: Annotated[str, AfterValidator(_checked_string)] | None = Field(
        default=None, examples=["scada"]
    )
    password: Annotated[SecretStr, AfterValidator(_checked_secret)] | None = None
    username_file: UserPath | None = Field(default=None, examples=["/etc/scada/mqtt-user"])
    password_file: UserPath | None = Field(default=None, examples=["/etc/scada/mqtt-password"])
    keepalive_seconds: int = Field(default=60, ge=1, le=65535)
    protocol: MQTTVersion = MQTTVersion.v5
    client_id: Annotated[str, AfterValidator(_checked_string)] | None = Field(
        default=None, min_length=1, examples=["scada-1"]
    )
    tls: TLSInfo = TLSInfo()
    bind_address: Annotated[str, AfterValidator(_checked_host)] = Field(
        default="", examples=["192.168.1.10"]
    )
    bind_port: int = Field(default=0, ge=0, le=65535, examples=[40000])

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if self.username is not None and self.username_file is not None:
            raise ValueError("username and username_file are both given; leave one out")
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file are both given; leave one out")
        has_user = self.username is not None or self.username_file is not None
        if not has_user and (self.password is not None or self.password_file is not None):
            raise ValueError(
                "a password needs a username, or a username_file: mqtt://USER:PASSWORD@HOST"
            )
        return self

    @property
    def effective_port(self) -> int:
        """The TCP port that is dialled."""
        return self.port or (DEFAULT_TLS_PORT if self.tls.use_tls else DEFAULT_PORT)

    def __str__(self) -> str:
        """The broker's URL without login."""
        scheme = "mqtts" if self.tls.use_tls else "mqtt"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.effective_port}"

    def with_tls_paths(self, certs_dir: Path, client_name: str) -> Self:
        """A copy whose TLS files are those of a client in a folder, where none were given.

        A path that was given as None stays so: then the system's authorities are trusted, or no
        certificate is shown.

        Args:
            certs_dir: The folder with one for each client.
            client_name: The client.
        """
        files = tls_files(certs_dir, client_name)
        found = {k: v for k, v in files.items() if k not in self.tls.model_fields_set}
        return self.model_copy(update={"tls": self.tls.model_copy(update=found)})

    def with_tls(self, tls: TLSInfo) -> Self:
        """A copy with the details of `tls`; whether TLS is used at all stays as it is."""
        return self.model_copy(update={"tls": tls.model_copy(update={"use_tls": self.tls.use_tls})})


def broker_from_url(
    url: str,
    *,
    password: SecretStr | None = None,
    keepalive_seconds: int = 60,
    protocol: MQTTVersion = MQTTVersion.v5,
    client_id: str | None = None,
) -> MQTTClient:
    """Read a broker URL: `mqtt://[user[:password]@]host[:port]`, or `mqtts://` for TLS.

    Args:
        url: The URL; user and password may be percent-encoded.
        password: Password of the URL's user, so that it need not stand in the URL.
        keepalive_seconds: See `MQTTClient`.
        protocol: See `MQTTClient`.
        client_id: See `MQTTClient`.

    Raises:
        SettingsError: The URL cannot be used. The message never holds its password.
    """
    parts = _split_url(url)
    user = unquote(parts.username) if parts.username else None
    secret = SecretStr(unquote(parts.password)) if parts.password else password
    if secret is not None and user is None:
        raise SettingsError(
            "a password was given, but the broker URL names no user: write mqtt://USER@HOST"
        )
    return MQTTClient(
        host=parts.hostname or "",
        port=parts.port or 0,
        username=user,
        password=secret,
        keepalive_seconds=keepalive_seconds,
        protocol=protocol,
        client_id=client_id,
        tls=TLSInfo(use_tls=parts.scheme == "mqtts"),
    )


def _split_url(url: str) -> SplitResult:
    """Split `url` and refuse what is no broker URL, without ever repeating its login."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SettingsError(
            f"the broker URL has no valid host or port (1 to 65535); example: {URL_EXAMPLE}"
        ) from None
    if parts.scheme not in ("mqtt", "mqtts"):
        raise SettingsError(
            f"a broker URL begins with mqtt:// or mqtts://, not {_scheme_of(parts)};"
            f" example: {URL_EXAMPLE}"
        )
    if not parts.hostname:
        raise SettingsError(f"the broker URL names no host; example: {URL_EXAMPLE}")
    if port == 0:
        raise SettingsError(f"port 0 of the broker URL cannot be dialled; example: {URL_EXAMPLE}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise SettingsError(
            "nothing may follow host and port of a broker URL"
            f" (percent-encode / ? # in a password); example: {URL_EXAMPLE}"
        )
    return parts


def _scheme_of(parts: SplitResult) -> str:
    return repr(parts.scheme + "://") if parts.scheme and parts.netloc else "something else"
