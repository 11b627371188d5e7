"""The HTTP client of http_client over TLS."""

import ssl

from lib import events, http_client


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


def connect(bridge, authority, **options):
    return TlsConnection(bridge.ingress, authority, **options)


def serial(connection):
    """Which certificate the server has shown."""
    return connection.socket.getpeercert()["serialNumber"]


def files_of(pair, client_ca=None):
    """The setting `tls` for a pair (certificate, key)."""
    files = {"cert_file": str(pair[0]), "key_file": str(pair[1])}
    if client_ca:
        files["client_ca_file"] = str(client_ca)
    return files


def accept(bridge, connection, body=None):
    answer = bridge.post(body or events.body(), connection=connection)
    assert answer.status == 200 and answer.json()["status"] == "accepted", answer
    return answer
