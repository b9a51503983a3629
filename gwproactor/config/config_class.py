"""The class `Config` inside settings, in which the reference says what variables are called.

Pydantic 2 has `model_config` for that, and warns of a class `Config`: where warnings are errors, no
program of the predecessor would start. So what stands in such a class is taken from it, as pydantic
would, before pydantic sees it.
"""

from typing import TYPE_CHECKING, Any

from pydantic_settings import BaseSettings

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseSettings)  # the same, without a private import at run time

_CONFIG, _MODEL_CONFIG = "Config", "model_config"


class ReadsConfigClass(ModelMetaclass):
    """Makes classes of settings, whose class `Config`, where they have one, is their configuration.

    Only where they have no `model_config`: both would be one too many, and pydantic says so.
    """

    def __new__(  # noqa: D102 - makes a class
        mcs, name: str, bases: tuple[type[Any], ...], namespace: dict[str, Any], **kwargs: Any
    ) -> type:
        config = namespace.get(_CONFIG)
        if config is None or _MODEL_CONFIG in namespace:
            return super().__new__(mcs, name, bases, namespace, **kwargs)
        del namespace[_CONFIG]
        namespace[_MODEL_CONFIG] = {
            key: getattr(config, key) for key in dir(config) if not key.startswith("__")
        }
        cls = super().__new__(mcs, name, bases, namespace, **kwargs)
        type.__setattr__(cls, _CONFIG, config)
        return cls
