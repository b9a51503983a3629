"""How the URL of a REST poll is written down: as one text, in parts, or as a path with variables.

The three forms are those of GridWorks hardware layouts; each completes or replaces the one before.
A URL may hold a login, and its query a key, so a URL in a report is `public_url` of it.
"""

from typing import Any, Literal
from urllib.parse import quote, urlencode, urljoin, urlsplit, urlunsplit

from pydantic import ConfigDict, Field, FiniteFloat, SecretStr, model_validator
from pydantic.alias_generators import to_pascal

from gwproactor.config.table import Table

QueryValue = str | int | FiniteFloat

URL_EXAMPLE = "http://10.0.0.5/state"


class RESTTable(Table):
    """What the tables of a REST poll have in common: names `like_this` or `LikeThis`."""

    model_config = ConfigDict(alias_generator=to_pascal, populate_by_name=True)


class URLArgs(RESTTable):
    """The parts of a URL.

    Args:
        scheme: `http` or `https`; empty for a URL that is only a path.
        user: A login's user.
        password: A login's password.
        host: The host, a name or an address.
        port: The port, where it is not the scheme's.
        path: The path, percent-encoded where `encoded`.
        query: Names and values, in their order.
        fragment: Not sent to any server.
        encoded: Whether the path is percent-encoded already.
    """

    scheme: Literal["http", "https", ""] = "https"
    user: str | None = Field(default=None, examples=["scada"])
    password: SecretStr | None = None
    host: str = Field(default="", examples=["10.0.0.5"])
    port: int | None = Field(default=None, ge=1, le=65535, examples=[8080])
    path: str = Field(default="", examples=["/state"])
    query: tuple[tuple[str, QueryValue], ...] | None = Field(
        default=None, examples=[[["unit", "C"]]]
    )
    fragment: str = ""
    encoded: bool = True

    def to_text(self) -> str:
        """The URL."""
        path = self.path if self.encoded else quote(self.path)
        scheme = self.scheme if self.host else ""
        query = urlencode(self.query or ())
        return urlunsplit((scheme, self._authority(), path, query, self.fragment))

    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{self._login()}{host}{port}"

    def _login(self) -> str:
        if self.user is None:
            return ""
        password = ""
        if self.password is not None:
            password = f":{quote(self.password.get_secret_value(), safe='')}"
        return f"{quote(self.user, safe='')}{password}@"


class URLConfig(RESTTable):
    """A URL in one to three of its forms.

    Args:
        url: The whole URL, or only a path; it may hold a login, so it is kept as a secret.
        url_args: The URL in parts; used where `url` is not given.
        url_path_format: Replaces the path: a text with `{names}`.
        url_path_args: What the names stand for.

    Raises:
        SettingsError: The path names something that `url_path_args` has not.
    """

    url: SecretStr | None = Field(default=None, examples=[URL_EXAMPLE])
    url_args: URLArgs | None = None
    url_path_format: str = Field(default="", examples=["/room/{name}"])
    url_path_args: dict[str, QueryValue] | None = Field(default=None, examples=[{"name": "boiler"}])

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, given: Any) -> Any:
        return {"url": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _checked(self) -> "URLConfig":
        if self.url is not None and self.url_args is not None:
            raise ValueError("url and url_args are two forms of the same; give one of them")
        try:
            parts = urlsplit(self.to_text())
            _ = parts.port
        except KeyError as missing:
            raise ValueError(f"url_path_args has no {missing}; url_path_format names it") from None
        except (ValueError, IndexError):
            raise ValueError("it cannot be read as a URL; example: http://10.0.0.5/state") from None
        if parts.scheme not in ("http", "https", "") or bool(parts.scheme) != bool(parts.hostname):
            raise ValueError("a URL begins with http:// or https:// and a host, or is a path")
        return self

    def to_text(self) -> str:
        """The URL; it may hold secrets."""
        text = "" if self.url is None else self.url.get_secret_value()
        if self.url_args is not None:
            text = self.url_args.to_text()
        if self.url_path_format:
            path = self.url_path_format.format(**(self.url_path_args or {}))
            text = urlunsplit(urlsplit(text)._replace(path=path))
        return text


def joined_url(base: URLConfig | None, url: URLConfig | None) -> str:
    """The URL that is asked, of a session's and a request's.

    Raises:
        ValueError: Together they are no whole URL.
    """
    base_text = "" if base is None else base.to_text()
    text = "" if url is None else url.to_text()
    if base is not None and not urlsplit(base_text).hostname:
        raise ValueError(
            "session.base_url is only a path; begin it with http://HOST or https://HOST"
        )
    if not base_text and not urlsplit(text).hostname:
        raise ValueError("request.url is only a path; make it whole, or give session.base_url")
    if base_text and urlsplit(text).hostname:
        raise ValueError("session.base_url and request.url are both whole; make the latter a path")
    if base_text and text and not text.startswith("/"):
        raise ValueError("request.url begins with / where there is a session.base_url")
    return urljoin(base_text, text)


def public_url(url: str) -> str:
    """A URL without what may be secret in it: login, query, fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
