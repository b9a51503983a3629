"""Settings: what a program may choose, checked before anything starts."""

from gwproactor.config.checked_settings import CheckedSettings
from gwproactor.config.logging import (
    FormatterSettings,
    LoggerLevels,
    LoggingSettings,
    RotatingFileHandlerSettings,
    ThrottleSettings,
)
from gwproactor.config.mqtt import MQTTClient, TLSInfo
from gwproactor.config.paths import Paths
from gwproactor.config.proactor import ProactorSettings
from gwproactor.config.table import Table

__all__ = [
    "CheckedSettings",
    "FormatterSettings",
    "LoggerLevels",
    "LoggingSettings",
    "MQTTClient",
    "Paths",
    "ProactorSettings",
    "RotatingFileHandlerSettings",
    "TLSInfo",
    "Table",
    "ThrottleSettings",
]
