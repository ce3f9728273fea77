"""HTTP clients for servers on this machine."""

import ssl

import httpx2

# Trusts nobody. The system's certificates take 50 ms of CPU to read, and httpx2 reads them for every client that is not given any.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def loopback_client(**options):
    """httpx2's client for plain http."""
    return httpx2.AsyncClient(verify=NO_CERTIFICATES, **options)
