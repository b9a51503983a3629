"""The settings of a proactor."""

from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gwproactor.config.events import EventSettings
from gwproactor.wire.timing import (
    DEFAULT_ACK_TIMEOUT_SECONDS,
    DEFAULT_POLL_SECONDS,
    SHORTEST_SECONDS,
)


class ProactorSettings(BaseSettings):
    """What a proactor as a whole may be told; each link has settings of its own.

    Values not given are read from the environment: `PROACTOR_STOP_SECONDS`,
    `PROACTOR_EVENTS__MAX_BYTES`.

    Args:
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
        stop_seconds: How long a stop waits for handlers and the disk before it is cut short.
    """

    model_config = SettingsConfigDict(
        env_prefix="PROACTOR_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

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
    stop_seconds: float = Field(default=0.8, gt=0, le=3600)

    @staticmethod
    def without_environment(**values: Any) -> "ProactorSettings":
        """Settings of what is given here and the defaults, whatever the environment says.

        For a program that has a configuration of its own, as `gwproactor node` has.

        Raises:
            pydantic.ValidationError: A value cannot work, or has no such name.
        """
        checked = _OfArgumentsOnly(**values)
        return ProactorSettings.model_construct(checked.model_fields_set, **dict(checked))


class _OfArgumentsOnly(ProactorSettings):
    """The same settings, for which the environment is not read."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the package's
        init_settings: PydanticBaseSettingsSource,
        *_others: PydanticBaseSettingsSource,
        **_further: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)
