"""How to reach one broker: address, login, TLS, session.

`MQTTClient` holds what one connection needs and nothing of the conversation that runs over it
(that is `gwproactor.config.link`). Secrets are `SecretStr`: they print as asterisks wherever a
settings object ends up.
"""

from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from gwproactor.config.paths import UserPath
from gwproactor.errors import SettingsError

DEFAULT_PORT = 1883
DEFAULT_TLS_PORT = 8883

URL_EXAMPLE = "mqtt://localhost:1883 or mqtts://user:password@broker.example:8883"


class MQTTVersion(StrEnum):
    """The protocol version to speak. There is no silent fallback from one to the other."""

    v5 = "5"
    v311 = "3.1.1"


class TLSInfo(BaseModel):
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

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    use_tls: bool = False
    ca_cert_path: UserPath | None = None
    cert_path: UserPath | None = None
    private_key_path: UserPath | None = None
    private_key_password: SecretStr | None = None
    check_hostname: bool = True
    ciphers: str | None = None


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


class MQTTClient(BaseModel):
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

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = Field(default="localhost", min_length=1)
    port: int = Field(default=0, ge=0, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    username_file: UserPath | None = None
    password_file: UserPath | None = None
    keepalive_seconds: int = Field(default=60, ge=1, le=65535)
    protocol: MQTTVersion = MQTTVersion.v5
    client_id: str | None = Field(default=None, min_length=1, max_length=65535)
    tls: TLSInfo = TLSInfo()
    bind_address: str = ""
    bind_port: int = Field(default=0, ge=0, le=65535)

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
