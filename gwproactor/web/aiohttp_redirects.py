"""Where a poll goes on when its server says that the answer is elsewhere. Pure.

A request carries headers, a login or a body that may be a secret, for the server that was named and
nobody else. So a redirect is followed within its **origin** only: the same scheme, host and port
(RFC 9110, 4.3.1). Another port may be another program; and https on the default port is another
origin than http, for curl too (CVE-2022-27774 and -27776) and for browsers (Fetch, HTTP-redirect
fetch). Those two go there without the credentials. A poll does not go there at all: it would take
the detour each time, and whoever sits on the first, unsafe leg could send it anywhere.
"""

from yarl import URL

from gwproactor.errors import PollError
from gwproactor.web.rest_urls import public_url

REDIRECTS = (301, 302, 303, 307, 308)
"""The statuses whose `Location` is meant to be followed."""


def method_after(method: str, status: int) -> str:
    """The method with which a redirect is followed, as browsers do it."""
    if method != "HEAD" and (status == 303 or (method == "POST" and status in (301, 302))):
        return "GET"
    return method


def url_after(url: URL, location: str) -> URL:
    """Where a redirect leads.

    Args:
        url: What was asked.
        location: What the server says.

    Raises:
        PollError: That is another origin, or no URL.
    """
    try:
        there = url.join(URL(location))
        origin = there.scheme, there.host, there.port
    except ValueError:  # the host's characters are checked late, and UnicodeError is one too
        raise PollError("it is redirected to what is no URL") from None
    if origin == (url.scheme, url.host, url.port):
        return there.with_user(url.user).with_password(url.password)
    if there.scheme not in ("http", "https"):
        raise PollError("it is redirected to what is no URL of http or https")
    where = public_url(str(there))
    raise PollError(
        f"it is redirected to {where}, which is another origin (scheme, host and port); make that"
        " the URL if it is trusted"
    )
