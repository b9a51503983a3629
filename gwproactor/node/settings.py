"""The settings of a node, and what the library's own settings are by them.

Each has the name and the form that the command line and the file know (docs/node.md); where their
values come from is the business of `gwproactor.node.loading`.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
)

from gwproactor.config.events import Durability, EventSettings
from gwproactor.config.link import (
    DEFAULT_MAX_PAYLOAD_BYTES,
    LinkSettings,
    checked_name,
    checked_short_name,
)
from gwproactor.config.mqtt import MQTTClient, MQTTVersion, TLSInfo, broker_from_url
from gwproactor.config.paths import UserPath, default_data_folder
from gwproactor.errors import SettingsError
from gwproactor.wire.timing import (
    DEFAULT_ACK_TIMEOUT_SECONDS,
    DEFAULT_POLL_SECONDS,
    SHORTEST_SECONDS,
)

MAX_PASSWORD_FILE_BYTES = 65536
"""The longest password MQTT can carry (MQTT 5, 1.5.6), and a line end."""


_PAYLOAD_ROOM_BYTES = 4096
"""What becomes of an input line is longer than the line: fields are filled in, an envelope is put
around it. The longest line allowed must arrive at a node with the same limit."""


class TLSTable(BaseModel):
    """The table `[tls]` of the file: towards brokers whose URL begins with mqtts://."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    ca_cert: UserPath | None = None
    cert: UserPath | None = None
    key: UserPath | None = None
    key_password: SecretStr | None = None
    check_hostname: bool = True

    def info(self) -> TLSInfo:
        """The same as the library's settings."""
        return TLSInfo(
            ca_cert_path=self.ca_cert,
            cert_path=self.cert,
            private_key_path=self.key,
            private_key_password=self.key_password,
            check_hostname=self.check_hostname,
        )


class NodeFolder(BaseModel):
    """What says where a node's data lie: its data folder, or its name."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, AfterValidator(checked_name)] | None = None
    data: UserPath | None = None

    @property
    def folder(self) -> Path | None:
        """The data folder; None where nothing says it."""
        if self.data is None and self.name is not None:
            return default_data_folder(self.name)
        return self.data


def _folder_of_the_name(given: dict[str, Any]) -> Path:
    """Where the data lie of a node that names no folder.

    Where its name is wrong nobody will see the result, and some versions of pydantic ask for it.
    """
    return default_data_folder(given.get("name", "unknown"))


class NodeSettings(BaseModel):
    """Every setting of `gwproactor node`; docs/node.md describes them."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str
    short: str
    peer: str
    peer_short: str
    brokers: tuple[str, ...] = Field(min_length=1)
    upstream: bool
    data: UserPath = Field(default_factory=_folder_of_the_name)
    durability: Durability = Durability.fsync
    max_bytes: int = Field(default=EventSettings().max_bytes, ge=1)
    ack_timeout: float = Field(
        default=DEFAULT_ACK_TIMEOUT_SECONDS, ge=SHORTEST_SECONDS, le=3600, allow_inf_nan=False
    )
    poll: float = Field(
        default=DEFAULT_POLL_SECONDS, ge=SHORTEST_SECONDS, le=86400, allow_inf_nan=False
    )
    keepalive: int = Field(default=60, ge=1, le=65535)
    mqtt: MQTTVersion = MQTTVersion.v5
    client_id: str | None = Field(default=None, min_length=1, max_length=65535)
    password_file: UserPath | None = None
    max_line_bytes: int = Field(default=DEFAULT_MAX_PAYLOAD_BYTES, ge=1024)
    follow: bool = False
    tls: TLSTable = TLSTable()

    @field_validator("name", "peer")
    @classmethod
    def _long_names(cls, value: str) -> str:
        return checked_name(value)

    @field_validator("short", "peer_short")
    @classmethod
    def _short_names(cls, value: str) -> str:
        return checked_short_name(value)

    def event_settings(self) -> EventSettings:
        """Where and how events are kept."""
        return EventSettings(folder=self.data, durability=self.durability, max_bytes=self.max_bytes)

    def link_settings(self) -> LinkSettings:
        """The node's one link.

        Raises:
            SettingsError: A broker URL or the password file cannot be used.
        """
        return LinkSettings(
            peer_name=self.peer,
            peer_short_name=self.peer_short,
            subscription_name=self.short,
            upstream=self.upstream,
            downstream=not self.upstream,
            brokers=tuple(map(self._broker, self.brokers)),
            ack_timeout_seconds=self.ack_timeout,
            poll_seconds=self.poll,
            max_payload_bytes=self.max_line_bytes + _PAYLOAD_ROOM_BYTES,
        )

    def _broker(self, url: str) -> MQTTClient:
        broker = broker_from_url(
            url,
            password=read_password(self.password_file) if self.password_file else None,
            keepalive_seconds=self.keepalive,
            protocol=self.mqtt,
            client_id=self.client_id,
        )
        return broker.with_tls(self.tls.info())


def read_password(path: Path) -> SecretStr:
    """The first line of a password file.

    Raises:
        SettingsError: It cannot be read, or is empty.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_PASSWORD_FILE_BYTES).decode()
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"--password-file {path} cannot be read: {cause}") from None
    password = text.partition("\n")[0].rstrip("\r")
    if not password:
        raise SettingsError(f"--password-file {path} is empty: its first line is the password")
    return SecretStr(password)
