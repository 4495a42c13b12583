"""The table of addresses: nothing but public addresses passes."""

import pytest

from schemas.webhooks.addresses import refusal_of
from schemas.webhooks.urls import address_problem_of, problem_of

REFUSED = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.0.1
169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 192.168.0.1
192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1
255.255.255.255 :: ::1 ::2 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8
::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 100:0:0:1::1
2001::1 2001:0:7f00:1:: 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1::1 2002:a00:1::1 2002:808:808::1
3fff::1 3ffe::1 5f00::1 fc00::1 fd00::1 fdff:ffff::1 fe80::1 fe80::1%eth0 febf::1 fec0::1 ff02::1 ff0e::1
4000::1 8000::1 1::1
"""
PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1
172.15.255.255 172.32.0.1 192.0.1.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 223.255.255.255
2001:4860:4860::8888 2606:4700:4700::1111 2a00:1450:4001:831::200e 2001:200::1 2003::1
"""


@pytest.mark.parametrize("address", REFUSED.split())
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert refusal_of(address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_a_public_address_is_not_refused(address: str) -> None:
    assert refusal_of(address) is None


@pytest.mark.parametrize("name", ["example.com", "localhost", "127.1", ""])
def test_a_name_is_no_address(name: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        refusal_of(name)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com",
        "//example.com/", "https:///x", "https://user@example.com/", "https://user:word@example.com/",
        "https://@example.com/", "https://example.com/#part", "https://example.com:22/",
        "https://example.com:0/", "https://exa mple.com/", "https://example.com:65536/",
        "https://example.com:x/", "https://example.com/\n", "https://ex\\ample.com/",
        "https://example.com/\r\nHost: x",
        "https://exämple.com/", "https://[::1/", "javascript:alert(1)", "https://example.com/" + 2048 * "a",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_sent_to_is_refused_with_a_reason(url: str) -> None:
    assert problem_of(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://example.com/a?b=c&d=%20",
        "https://example.com:8443/",
        "http://[2a00::1]:80/x",
    ],
)
def test_a_url_is_accepted(url: str) -> None:
    assert problem_of(url) is None
    assert address_problem_of(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://LOCALHOST:8080/",
        "http://a.localhost/",
        "https://[::1]/",
        "https://10.0.0.1:8443/",
    ],
)
def test_a_private_address_in_a_url_is_refused_at_once(url: str) -> None:
    assert problem_of(url) is None
    assert address_problem_of(url)
