"""URLs are URLs: the path is completed, the query is kept."""

import pytest

from app.cloud.address import completions_url, is_loopback, user_of
from app.cloud.endpoint import Endpoint
from app.config.settings import EndpointSettings
from tests.support.clouds import breaker

AZURE = "https://n.openai.azure.com/openai/deployments/d"


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://h/v1", "http://h/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h/v1///", "http://h/v1/chat/completions"),
        ("http://h", "http://h/chat/completions"),
        ("http://h/", "http://h/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h/v1/chat/completions/", "http://h/v1/chat/completions"),
        (AZURE + "?api-version=2024-10-21", AZURE + "/chat/completions?api-version=2024-10-21"),
        (AZURE + "/?api-version=2024-10-21&x=a%2Fb", AZURE + "/chat/completions?api-version=2024-10-21&x=a%2Fb"),
        (AZURE + "/chat/completions?api-version=2024-10-21", AZURE + "/chat/completions?api-version=2024-10-21"),
        (AZURE + "/chat/completions/?api-version=1", AZURE + "/chat/completions?api-version=1"),
        ("http://h/v1#part", "http://h/v1/chat/completions"),
        ("http://h/v1?a=/chat/completions", "http://h/v1/chat/completions?a=/chat/completions"),
        ("http://u:p%40@h:81/v1", "http://h:81/v1/chat/completions"),
        ("http://[::1]:9000/v1", "http://[::1]:9000/v1/chat/completions"),
        ("HTTP://Host.EXAMPLE/V1", "http://host.example/V1/chat/completions"),
        ("http://h/a%20b/v1", "http://h/a%20b/v1/chat/completions"),
        ("http://h/proxy/https://x/v1", "http://h/proxy/https://x/v1/chat/completions"),
        ("http://h/chat/completions-old/v1", "http://h/chat/completions-old/v1/chat/completions"),
        ("http://bücher.example/v1", "http://xn--bcher-kva.example/v1/chat/completions"),
    ],
)
def test_the_url_of_the_chat_completions(base, url):
    assert completions_url(str(EndpointSettings(base_url=base).base_url)) == url


def test_a_user_name_is_sent_as_basic_and_stands_in_no_url():
    assert user_of("http://ada:p%40ss@h/v1") == ("ada", "p@ss")
    assert user_of("http://h/v1") is None
    place = Endpoint("e", "http://ada:p%40ss@h/v1?key=canary-1", "m", breaker())
    assert place.headers == {"authorization": "Basic YWRhOnBAc3M="}
    assert "p@ss" in place.secrets
    assert "canary-1" in place.secrets
    for shown in (place.place, repr(place)):
        assert "ss" not in shown.replace("access", "")
        assert "canary" not in shown


def test_a_key_wins_over_a_user_name_and_over_an_authorization_of_any_spelling():
    assert Endpoint("e", "http://ada:p@h/v1", "m", breaker(), "k").headers == {"authorization": "Bearer k"}
    place = Endpoint("e", "http://h/v1", "m", breaker(), "k", {"Authorization": "Basic x", "X-A": "1"})
    assert place.headers == {"authorization": "Bearer k", "x-a": "1"}


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:1/v1", True),
        ("http://LOCALHOST./v1", True),
        ("http://a.localhost/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://127.9.9.9:80/v1", True),
        ("http://[::1]:80/v1", True),
        ("http://[::ffff:127.0.0.1]/v1", True),
        ("http://0.0.0.0:9/v1", True),
        ("http://localhost.example.org/v1", False),
        ("http://128.0.0.1/v1", False),
        ("http://10.0.0.1/v1", False),
        ("http://[::2]/v1", False),
        ("https://api.example.org/localhost", False),
        ("http://127.0.0.1@evil.example/v1", False),
    ],
)
def test_loopback_is_told_by_the_host(url, loopback):
    assert is_loopback(url) is loopback
