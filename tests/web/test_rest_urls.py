from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwproactor.errors import SettingsError
from gwproactor.web.rest_settings import RESTPollerSettings
from gwproactor.web.rest_urls import URLArgs, URLConfig, public_url


def url_of(session: Any = None, request: Any = None) -> str:
    return RESTPollerSettings.model_validate(
        {"session": {"base_url": session}, "request": {"url": request}}
    ).url


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ("http://10.0.0.5/state", "http://10.0.0.5/state"),
        ({"url": "https://x.org:8443/a?b=c"}, "https://x.org:8443/a?b=c"),
        ({"url_args": {"host": "x.org"}}, "https://x.org"),
        (
            {"url_args": {"scheme": "http", "host": "x.org", "port": 81, "path": "/a"}},
            "http://x.org:81/a",
        ),
        ({"url_args": {"host": "::1", "port": 81}}, "https://[::1]:81"),
        (
            {"url_args": {"host": "x.org", "user": "a@b", "password": "c:d/", "path": "/"}},
            "https://a%40b:c%3Ad%2F@x.org/",
        ),
        (
            {"url_args": {"host": "x", "query": [["a", 1], ["b", "c d"]], "fragment": "f"}},
            "https://x?a=1&b=c+d#f",
        ),
        ({"url_args": {"host": "x", "path": "/a b", "encoded": False}}, "https://x/a%20b"),
        (
            {
                "url": "http://x/old",
                "url_path_format": "/devices/{device}/{n}",
                "url_path_args": {"device": "d", "n": 1},
            },
            "http://x/devices/d/1",
        ),
        ({"Url": "http://x/a"}, "http://x/a"),
        ({"UrlArgs": {"Host": "x", "Path": "/a"}}, "https://x/a"),
    ],
)
def test_the_forms_of_a_url(config: Any, url: str) -> None:
    assert url_of(request=config) == url
    assert url_of(session=config) == url


def test_a_path_is_one_of_the_sessions_server() -> None:
    assert url_of("http://x:81/ignored", "/a?b=c") == "http://x:81/a?b=c"
    assert url_of("http://x:81", {"url_path_format": "/a"}) == "http://x:81/a"


@pytest.mark.parametrize(
    ("session", "request_url", "said"),
    [
        (None, None, "request.url is only a path; make it whole, or give session.base_url"),
        (None, "/a", "request.url is only a path"),
        ("/a", "/b", "session.base_url is only a path"),
        ("http://x", "http://y/a", "both whole"),
        ("http://x", "a", "begins with / where"),
        ("ftp://x", None, "begins with http:// or https://"),
        ("http://", None, "begins with http:// or https://"),
        ("http://x:port", None, "cannot be read as a URL"),
        ("http://[x", None, "cannot be read as a URL"),
        ({"url": "http://x", "url_args": {"host": "x"}}, None, "two forms of the same"),
        ({"url": "http://x", "url_path_format": "/{a}"}, None, "url_path_args has no 'a'"),
        ({"url": "http://x", "url_path_format": "/{"}, None, "cannot be read as a URL"),
    ],
)
def test_what_is_no_url_is_refused_with_its_cure(session: Any, request_url: Any, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        url_of(session, request_url)
    assert said in str(caught.value)


def test_no_secret_of_a_url_is_shown() -> None:
    config = URLConfig(url_args=URLArgs(host="x", user="u", password="hidden"))
    whole = URLConfig.model_validate("http://u:hidden@x/?key=hidden")
    settings = RESTPollerSettings.model_validate(
        {
            "session": {"base_url": whole, "headers": {"X-Token": "hidden"}},
            "request": {"headers": {"X-Key": "hidden"}},
        }
    )
    assert "hidden" not in repr((config, whole, settings))
    assert "hidden" not in settings.model_dump_json()
    with pytest.raises(SettingsError) as caught:
        url_of("http://u:hidden@x:port")
    assert "hidden" not in str(caught.value)


def test_a_url_is_reported_without_login_query_and_fragment() -> None:
    assert public_url("https://u:p@x.org:81/a/b?key=k#f") == "https://x.org:81/a/b"
    assert public_url("http://[::1]:81") == "http://[::1]:81"


@given(st.text(), st.text(), st.text())
def test_whatever_is_given_is_a_url_or_refused(url: str, path: str, name: str) -> None:
    for given_url in (url, {"url": url, "url_path_format": path, "url_path_args": {name: 1}}):
        try:
            found = url_of(given_url)
        except SettingsError:
            continue
        assert urlsplit(found).scheme in ("http", "https")
        assert urlsplit(found).hostname
