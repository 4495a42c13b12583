"""Which addresses a webhook may be sent to: those of the public Internet only.

Sources: the IANA registries of special-purpose addresses for IPv4 and IPv6 (RFC 6890), RFC 4291, 3056, 6052.
They are listed here, because `ipaddress.is_global` differs between releases of Python.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

PUBLIC_IPV6 = ip_network("2000::/3")  # the only block of IPv6 whose addresses are public
SPECIAL = {
    "unspecified": ("0.0.0.0/8",),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    "shared": ("100.64.0.0/10",),  # of a provider's NAT
    "loopback": ("127.0.0.0/8",),
    "link-local": ("169.254.0.0/16",),  # the metadata of a cloud is at 169.254.169.254
    "reserved": (
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "240.0.0.0/4",  # with the broadcast address
        "2001::/23",  # of the IETF, with Teredo and ORCHID
        "3ffe::/16",  # 6bone
        "5f00::/16",  # segment routing
    ),
    "for documentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "another address inside (6to4)": ("2002::/16",),
}
NETWORKS = [(ip_network(text), kind) for kind, texts in SPECIAL.items() for text in texts]


def refusal_of(host: str) -> str | None:
    """Return why no webhook is sent to an address; None if it is public. Raises ValueError for a name."""
    address = ip_address(host.partition("%")[0])
    for network, kind in NETWORKS:
        if address.version == network.version and address in network:
            return kind
    match address:
        case IPv4Address():
            return None
        case IPv6Address():
            # loopback, link-local, unique local, IPv4-mapped and NAT64 addresses are outside
            return None if address in PUBLIC_IPV6 else "not public"
