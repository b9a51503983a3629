"""Settings that say where a wrong value was written, and what it is called there.

A class derived from `CheckedSettings` is one of pydantic-settings, read from the layers that
`gwproactor.config.sources` describes, with one difference: what is wrong with it is a
`SettingsError` that names the variable, the key in the file or the argument, the value's fault and
an example, and never the value. Variables with the class's prefix that are no settings are refused,
too.
"""

from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gwproactor.config.environment import Files
from gwproactor.config.explain import explained
from gwproactor.config.layers import arguments_layer, complete, merged
from gwproactor.config.sources import Places, read_layers
from gwproactor.config.table import meant

_TOML_FILE = "_toml_file"
_ONLY_ARGUMENTS = "_only_arguments"


class CheckedSettings(BaseSettings):
    """Base of settings that are read from arguments, variables and files. Reads files.

    Make it before the loop runs, or in a thread: files block.

    Args:
        _env_file: A file of variables, or several, which must be there.
        _env_file_encoding: Its encoding; UTF-8 when not given.
        _env_nested_delimiter: What parts the names in a variable; the class's when not given.
        _secrets_dir: A folder of files with one value each, which must be there.
        **values: Settings, which win over everything else.

    Raises:
        SettingsError: A setting cannot work, or something cannot be read.
    """

    model_config = SettingsConfigDict(
        env_nested_delimiter="__",
        env_ignore_empty=True,
        env_parse_none_str="null",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        loc_by_alias=False,
    )

    def __init__(
        self,
        _env_file: Files = None,
        _env_file_encoding: str | None = None,
        _env_nested_delimiter: str | None = None,
        _secrets_dir: Files = None,
        **values: Any,
    ) -> None:
        places = Places(
            env_file=_env_file,
            env_file_encoding=_env_file_encoding,
            env_nested_delimiter=_env_nested_delimiter,
            secrets_dir=_secrets_dir,
            toml_file=values.pop(_TOML_FILE, None),
        )
        cls = type(self)
        layers = (
            [arguments_layer(values)]
            if values.pop(_ONLY_ARGUMENTS, False)
            else read_layers(cls, values, places)
        )
        given = merged(layers)
        complete(cls, given)
        try:
            super(BaseSettings, self).__init__(**given)
        except ValidationError as error:
            refusal = explained(cls, error, layers)
        else:
            return
        raise refusal  # out here, where it has no context: that one knows the values

    @classmethod
    def load(
        cls,
        *,
        toml_file: str | Path | None = None,
        env_file: Files = None,
        **values: Any,
    ) -> Self:
        """Settings of these files, the environment and the arguments. Reads files.

        Args:
            toml_file: A TOML file, which must be there.
            env_file: A file of variables, or several, which must be there.
            **values: Settings, which win over everything else.

        Raises:
            SettingsError: A setting cannot work, or a file cannot be read.
        """
        return cls(env_file, **{_TOML_FILE: toml_file, **values})

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """The same as the constructor, of a dictionary. Reads files.

        Args:
            obj: Settings, which win over everything else.
            **options: As pydantic has them; they are for what is no dictionary.

        Raises:
            SettingsError: A setting cannot work, or a file cannot be read.
        """
        if isinstance(obj, dict):
            return cls(**obj)
        return super().model_validate(obj, **options)

    @classmethod
    def without_environment(cls, **values: Any) -> Self:
        """Settings of what is given here and the defaults, whatever environment and files say.

        For a program that has a configuration of its own, as `gwproactor node` has.

        Raises:
            SettingsError: A value cannot work, or has no such name.
        """
        return cls(**{_ONLY_ARGUMENTS: True, **values})

    @field_validator("*", mode="before")
    @classmethod
    def _what_nobody_means(cls, value: object, info: ValidationInfo) -> object:
        return meant(cls, value, info)
