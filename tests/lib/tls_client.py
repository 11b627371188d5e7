"""The HTTP client of http_client over TLS."""

import ssl

from lib import http_client


class TlsConnection(http_client.Connection):
    """options: those of `context`. The handshake is done when it is made."""

    def __init__(self, address, authority, server_hostname=None, **options):
        super().__init__(address)
        try:
            self.socket = context(authority, **options).wrap_socket(self.socket, server_hostname=server_hostname)
        except BaseException:
            self.close()
            raise


def context(authority, client=None, version=None):
    """Trusts authority (None: everybody); shows the pair `client`; speaks this version only."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    if authority:
        made.load_verify_locations(authority.cert)
    else:
        made.verify_mode = ssl.CERT_NONE
    if client:
        made.load_cert_chain(*client)
    if version:
        made.minimum_version = made.maximum_version = version
    return made


def serial(connection):
    """Which certificate the server has shown."""
    return connection.socket.getpeercert()["serialNumber"]
