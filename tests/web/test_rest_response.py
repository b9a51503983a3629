import pytest

from gwproactor.web.rest_response import RESTResponse


def response(body: bytes, content_type: str = "") -> RESTResponse:
    headers = {"Content-Type": content_type} if content_type else {}
    return RESTResponse(200, "OK", headers, "http://x/", body)


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("", "utf-8"),
        ("text/plain", "utf-8"),
        ("text/plain; charset=latin-1", "latin-1"),
        ('application/json; charset="UTF-16"', "utf-16"),
    ],
)
async def test_text_is_in_the_encoding_that_its_header_names(
    content_type: str, charset: str
) -> None:
    found = response("21 °C".encode(charset), content_type)
    assert found.charset == charset
    assert await found.text() == "21 °C"


async def test_json() -> None:
    assert await response(b'{"a": 1}').json() == {"a": 1}
    with pytest.raises(ValueError, match="Expecting value"):
        await response(b"no").json()


async def test_what_cannot_be_read_is_said() -> None:
    with pytest.raises(LookupError):
        await response(b"a", "text/plain; charset=klingon").text()
    with pytest.raises(UnicodeDecodeError):
        await response(b"\xff").text()


def test_a_body_is_not_shown() -> None:
    assert "secret" not in repr(response(b"secret"))
