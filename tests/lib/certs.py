"""Certificates for TLS tests, made by the openssl command."""

import subprocess


class Authority:
    """A certificate authority in a folder of its own; each file is a path."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.cert, self.key = folder / f"{name}.crt", folder / f"{name}.key"
        openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )

    def issue(self, name, alt_names="IP:127.0.0.1,DNS:localhost", days=2, more=""):
        """Gives (certificate, key) for a server, a client or, with more extensions, an authority below this one."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        cert, extensions = self.folder / f"{name}.crt", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alt_names}\n{more}")
        openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", f"/CN={name}", "-keyout", key, "-out", request),
        )
        openssl(
            *("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key),
            *("-CAcreateserial", "-days", days, "-extfile", extensions, "-out", cert),
        )
        return cert, key


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)
