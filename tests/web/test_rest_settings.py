from typing import Any

import pytest

from gwproactor.errors import SettingsError
from gwproactor.web.rest_settings import RESTPollerSettings

URL = "http://10.0.0.5/state"


def settings(**values: Any) -> RESTPollerSettings:
    values = {"request": {"url": URL}} | values
    return RESTPollerSettings.model_validate(values)


def test_defaults() -> None:
    found = settings()
    assert found.poll_period_seconds == 60.0
    assert (found.timeout.total, found.timeout.connect) == (30.0, 10.0)
    assert found.request.method == "GET"
    assert found.errors.request.report
    assert found.errors.request.error_for_http_status
    assert not found.errors.convert.raise_exception


def test_a_hardware_layout_writes_names_in_capitals() -> None:
    found = settings(
        Session={"BaseUrl": {"UrlArgs": {"Host": "x"}}, "Timeout": {"Total": 5, "SockRead": 1}},
        request={"Method": "POST", "Url": {"UrlPathFormat": "/a"}},
        PollPeriodSeconds=2.5,
        Errors={"Request": {"ErrorForHttpStatus": False}},
    )
    assert found.url == "https://x/a"
    assert found.poll_period_seconds == 2.5
    assert found.timeout.sock_read == 1
    assert not found.errors.request.error_for_http_status


def test_a_requests_timeout_takes_the_place_of_the_sessions() -> None:
    found = settings(
        session={"timeout": {"total": 5}}, request={"url": URL, "timeout": {"connect": 1}}
    )
    assert (found.timeout.total, found.timeout.connect) == (30.0, 1.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"poll_period": 5},
            "poll_period: there is no such setting; did you mean poll_period_seconds?",
        ),
        ({"poll_period_seconds": 0}, "greater than or equal to 0.001"),
        ({"poll_period_seconds": float("inf")}, "finite number"),
        ({"request": {"url": URL, "method": "FETCH"}}, "'GET', 'HEAD', 'POST'"),
        ({"request": {"url": URL, "timeout": {"total": 0}}}, "greater than 0"),
        ({"request": {"url": URL, "data": "a", "json_body": 1}}, "two bodies; give one of them"),
        ({"request": {"url": URL, "json_body": {1, 2}}}, "something that JSON cannot write"),
        ({"request": {"url": URL, "json_body": float("nan")}}, "something that JSON cannot write"),
        ({"request": {"url": URL, "params": {"a": float("nan")}}}, "finite number"),
        ({"request": {"url": URL, "headers": {"X Y": "s"}}}, "after 'X' no name of a header"),
        ({"request": {"url": URL, "headers": {"": "s"}}}, "after '' no name of a header"),
        ({"session": {"headers": {"X-Key: s": ""}}}, "after 'X-Key' no name of a header"),
        ({"session": {"headers": {"X-Key": "a\nb"}}}, "the value of 'X-Key' holds a line break"),
        (
            {"request": {"url": "http://u:p@h/"}, "session": {"headers": {"authorization": "s"}}},
            "the URL has a login, and the header Authorization is another; give one of them",
        ),
        ({"max_response_bytes": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(**values)
    assert said in str(caught.value)


@pytest.mark.parametrize(("period", "jitter"), [(60, 1), (10, 1), (5, 0.5), (0.001, 0.0001)])
def test_the_start_is_spread_over_a_little_of_the_period(period: float, jitter: float) -> None:
    rest = {"request": {"url": "http://a/"}, "poll_period_seconds": period}
    assert RESTPollerSettings.model_validate(rest).jitter_seconds == pytest.approx(jitter)
    told = rest | {"start_jitter_seconds": 0}
    assert RESTPollerSettings.model_validate(told).jitter_seconds == 0
