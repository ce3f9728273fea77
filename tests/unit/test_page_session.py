"""The login of the page: which cookies hold a key, and which requests may use it."""

import time

import pytest
from starlette.datastructures import Headers
from starlette.responses import Response

from app.api.page_session import STATE, forget_key, from_page, is_https, key_in_cookies, key_of, set_key

# Of the form of a key; fixed, because tests are named by their arguments and every process must give them the same names.
KEY, OTHER = (f"fg_{'0' * 12}_{letter * 43}" for letter in "ab")
PAGE = {"x-requested-with": "foggate-page"}


def found(*cookies):
    return key_in_cookies([(b"cookie", cookie.encode("latin-1")) for cookie in cookies])


@pytest.mark.parametrize(
    ("cookie", "key"),
    [
        (f"foggate_key={KEY}", KEY),
        (f"a=1; foggate_key={KEY}; b=2", KEY),
        (f"foggate_key={OTHER}; __Host-foggate_key={KEY}", KEY),
        (f"__Host-foggate_key={KEY}; foggate_key={OTHER}", KEY),
        (f"xfoggate_key={KEY}", ""),
        (f"foggate_key={KEY}x", ""),
        (f"foggate_key={KEY[:-1]}", ""),
        ("foggate_key=", ""),
        ("foggate_key=fg_", ""),
        ("", ""),
        ("\xff\xfe=;;;", ""),
    ],
)
def test_the_key_of_a_cookie(cookie, key):
    assert found(cookie) == key


def test_several_headers_and_none():
    assert found("a=1", f"foggate_key={KEY}") == KEY
    assert key_in_cookies([(b"host", b"x")]) == ""


@pytest.mark.parametrize("piece", ["a", "; ", "foggate_key=", "__Host-", f"foggate_key={KEY}", "foggate_key=fg_0123456789ab_"])
def test_the_time_grows_with_the_length_of_the_header_and_no_faster(piece):
    started = time.perf_counter()
    found(piece * (1_000_000 // len(piece)))
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({**PAGE, "sec-fetch-site": "same-origin"}, True),
        ({**PAGE, "sec-fetch-site": "same-site"}, False),
        ({**PAGE, "sec-fetch-site": "cross-site", "origin": "http://gateway:8080", "host": "gateway:8080"}, False),
        ({**PAGE, "sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({**PAGE, "origin": "http://gateway:8080", "host": "gateway:8080"}, True),
        ({**PAGE, "origin": "http://GATEWAY:8080", "host": "gateway:8080"}, True),
        ({**PAGE, "origin": "http://gateway:9090", "host": "gateway:8080"}, False),
        ({**PAGE, "origin": "http://evil.example", "host": "gateway:8080"}, False),
        ({**PAGE, "origin": "null", "host": "gateway:8080"}, False),
        ({**PAGE, "host": "gateway:8080"}, True),
        ({"origin": "http://gateway:8080", "host": "gateway:8080"}, False),
        ({"x-requested-with": "XMLHttpRequest", "host": "gateway:8080"}, False),
    ],
)
def test_a_cookie_counts_only_for_the_gateways_own_page(headers, is_ours):
    assert from_page(Headers(headers)) is is_ours
    scope = {"headers": Headers(headers).raw, "state": {STATE: KEY}}
    assert key_of(scope) == (KEY if is_ours else "")


def test_a_header_wins_over_the_cookie_even_if_it_holds_no_key():
    for given, key in ((f"Bearer {OTHER}", OTHER), (f"bearer  {OTHER} ", OTHER), ("Basic eDp5", ""), ("", "")):
        assert key_of({"headers": Headers({**PAGE, "authorization": given}).raw, "state": {STATE: KEY}}) == key


def cookies(response):
    return [value for name, value in response.headers.items() if name == "set-cookie"]


def test_the_cookie_of_a_login_is_closed_to_scripts_and_other_sites_and_ends_with_the_browser():
    for https, name in ((False, "foggate_key"), (True, "__Host-foggate_key")):
        response = Response()
        set_key(response, KEY, https=https)
        (cookie,) = cookies(response)
        first, *flags = cookie.split("; ")
        assert first == f"{name}={KEY}"
        assert {flag.lower() for flag in flags} == {"httponly", "path=/", "samesite=strict", *(["secure"] if https else [])}


def test_a_logout_removes_both_cookies():
    response = Response()
    forget_key(response)
    assert len(cookies(response)) == 2
    for cookie in cookies(response):
        assert "Max-Age=0" in cookie
        assert "Path=/" in cookie
        assert ("Secure" in cookie) == cookie.startswith("__Host-")


def test_https_is_seen_behind_a_proxy_too():
    assert is_https({"scheme": "https", "headers": []})
    assert is_https({"scheme": "http", "headers": [(b"origin", b"https://gateway.example")]})
    assert not is_https({"scheme": "http", "headers": [(b"origin", b"http://gateway.example")]})
    assert not is_https({"scheme": "http", "headers": []})
