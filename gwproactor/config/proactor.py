"""The settings of a proactor."""

import copy
from typing import Any, Self, cast

from pydantic import Field, field_validator, model_validator

from gwproactor.config.checked_settings import CheckedSettings
from gwproactor.config.config_class import ReadsConfigClass
from gwproactor.config.events import EventSettings, EventStoreKind
from gwproactor.config.logging import LoggingSettings
from gwproactor.config.mqtt import MQTTClient
from gwproactor.config.paths import Paths
from gwproactor.config.tasks import TaskPolicy
from gwproactor.config.watchdog import WatchdogSettings
from gwproactor.wire.timing import (
    DEFAULT_ACK_TIMEOUT_SECONDS,
    DEFAULT_POLL_SECONDS,
    SHORTEST_SECONDS,
)

_PATHS_OF_LOGS = {"state_home", "log_dir"}
_PATHS_OF_CONFIGURATION = {"config_home", "config_dir", "certs_dir", "hardware_layout", "env_file"}


class ProactorSettings(CheckedSettings, metaclass=ReadsConfigClass):
    """What a proactor as a whole may be told; each link has settings of its own.

    Values not given are read from the environment, `PROACTOR_STOP_SECONDS` or
    `PROACTOR_EVENTS__MAX_BYTES`, and from files that are named; docs/settings.md lists all. A
    derived class adds settings of its own, and may choose another prefix.

    Args:
        paths: Where the program's files lie. Where they are given, by whomever, events are kept
            there too, unless `events` says otherwise.
        logging: What `setup_logging` sets up.
        events: How events are kept.
        mailbox_messages: Messages that may wait for `process_message`; beyond that they are
            dropped un-acked, so that the peer sends them again where it wants them acknowledged.
        handler_tries: So often a message of QoS 1 or 2 is given to a handler that fails with it;
            then it is reported and let go.
        mqtt_link_poll_seconds: Poll seconds of links added by `LinkManager.add_mqtt_link`; a link
            that is added with `LinkSettings` has its own.
        ack_timeout_seconds: Their ack timeout.
        num_initial_event_reuploads: Events in flight just after the upstream link became active;
            each acknowledgement lets one more go.
        stop_seconds: How long a stop takes at most, with all that ends then; see docs/watchdogs.md.
        stop_when_handler_fails: End the proactor when a handler raises, after it was reported.
        tasks: What becomes of a task that dies, where it has no policy of its own.
        watchdog: How the proactor watches over itself.

    Raises:
        SettingsError: A setting cannot work; names where it was written, its fault and an example.
    """

    class Config:
        """What variables are called; derived classes may say it so, or in `model_config`."""

        env_nested_delimiter = "__"
        env_prefix = "PROACTOR_"

    paths: Paths = Field(default=cast("Paths", None), validate_default=True)  # None finds them
    logging: LoggingSettings = LoggingSettings()
    events: EventSettings = EventSettings()
    mailbox_messages: int = Field(default=1000, ge=1)
    handler_tries: int = Field(default=5, ge=1)
    mqtt_link_poll_seconds: float = Field(
        default=DEFAULT_POLL_SECONDS, ge=SHORTEST_SECONDS, le=86400, allow_inf_nan=False
    )
    ack_timeout_seconds: float = Field(
        default=DEFAULT_ACK_TIMEOUT_SECONDS, ge=SHORTEST_SECONDS, le=3600, allow_inf_nan=False
    )
    num_initial_event_reuploads: int = Field(default=5, ge=1)
    stop_seconds: float = Field(default=2.0, gt=0, le=3600)
    stop_when_handler_fails: bool = False
    tasks: TaskPolicy = TaskPolicy()
    watchdog: WatchdogSettings = WatchdogSettings()

    @field_validator("paths", mode="before")
    @classmethod
    def get_paths(cls, v: Any) -> Any:
        """The paths that were given, or else those of the defaults and the XDG variables."""
        return Paths() if v is None else v

    @classmethod
    def post_root_validator(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Give each MQTT client among some settings the TLS files of its name, where it has none.

        It runs by itself when settings are made, for every member that is an `MQTTClient`; the
        client's name is that of the member.

        Args:
            values: Settings by their names, `paths` among them.

        Returns:
            The same, with clients that have their files.

        Raises:
            ValueError: `paths` is something else.
        """
        paths = cls.get_paths(values.get("paths"))
        if not isinstance(paths, Paths):
            raise ValueError("paths must be an object of the class Paths")  # noqa: TRY004 - pydantic
        for name, value in values.items():
            if isinstance(value, MQTTClient):
                values[name] = value.with_tls_paths(paths.certs_dir, name)
        return values

    @classmethod
    def update_paths_name(cls, values: dict[str, Any], name: str) -> dict[str, Any]:
        """Let the paths be those of a program of this name, unless another one is given.

        For a validator of a derived class, which knows the name, in the mode `before`.

        Args:
            values: What a derived class is made of: `paths` may be missing, or be a table.
            name: The program's folder.

        Returns:
            The same, with paths.
        """
        paths = values.get("paths")
        if paths is None:
            values["paths"] = Paths.model_validate({"name": name})
        elif isinstance(paths, Paths) and "name" not in paths.model_fields_set:
            values["paths"] = paths.duplicate(name=name)
        elif isinstance(paths, dict):
            values["paths"] = named = copy.copy(paths)
            named.setdefault("name", name)
        return values

    @model_validator(mode="after")
    def _what_follows_from_paths(self) -> Self:
        # not dict(self): a derived class may have a setting called "keys"
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        values = self.post_root_validator(fields)
        self.__dict__.update(values | {"events": self._events_on_paths()})
        return self

    def _events_on_paths(self) -> EventSettings:
        """The settings of events, with the folders that the paths give them."""
        events = self.events
        if "folder" in events.model_fields_set or not self._says_where_data_is():
            return events
        found = events.model_copy(update={"folder": self.paths.events_dir})
        if found.outbox_in_memory and found.inbox_in_memory:
            return events
        if found.store is EventStoreKind.files and found.files_folder is None:
            return found.model_copy(update={"files_folder": self.paths.event_dir})
        return found

    def _says_where_data_is(self) -> bool:
        """Whether somebody gave paths, and not only those of other things."""
        given = self.paths.model_fields_set
        others = _PATHS_OF_LOGS | _PATHS_OF_CONFIGURATION
        return "paths" in self.model_fields_set and (not given or bool(given - others))
