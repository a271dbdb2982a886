"""TLS for `ssl:` remotes: python-ovs's stream, with words for its failures and without its busy wait.

In: the PEM files, read anew for each connection. Out: a stream of type `ssl`. The rule: the peer's certificate must be
signed by the given authority, and TLS is 1.2 or later; the name in the certificate isn't looked at, as everywhere in
OVN, whose databases are reached by address.

python-ovs 4.0.0 waits for a writable socket during the whole handshake, so a server that accepts and then says nothing
would keep a core busy; and it reduces every refusal to an error number ("Operation not permitted").
"""

import errno
import ssl
from typing import Any

import ovs.poller
from ovs.stream import SSLStream, Stream

from nqosd.ovsdb.connection_options import TlsFiles
from nqosd.runtime.small_files import read_small


class TlsStream(SSLStream):  # type: ignore[misc] # python-ovs ships no types
    """A TLS connection that tells in `failure` why the latest attempt failed."""

    failure = ""
    _files: TlsFiles | None = None
    _is_secure = False
    _awaited: int | None = None

    @classmethod
    def use(cls, files: TlsFiles) -> None:
        """Let connections made from now on use these files."""
        cls._files = files
        Stream.ssl_set_private_key_file(str(files.private_key))
        Stream.ssl_set_certificate_file(str(files.certificate))
        Stream.ssl_set_ca_cert_file(str(files.ca_certificate))

    @staticmethod
    def _open(suffix: str, dscp: int) -> tuple[int, Any]:  # Any: a socket or None, for python-ovs alone
        TlsStream.failure = ""
        files = TlsStream._files
        try:
            for file in (files.private_key, files.certificate, files.ca_certificate) if files else ():
                read_small(
                    file
                )  # ssl's own error doesn't name the file, and it would wait for whoever writes to a FIFO
            opened: tuple[int, Any] = SSLStream._open(suffix, dscp)  # noqa: SLF001 (the way a stream type is made)
        except OSError as failure:
            TlsStream.failure = f"the TLS files can't be used: {failure}"
            return errno.EPROTO, None
        return opened

    def connect(self) -> int:
        """Go on with connecting and the handshake; return 0 when done, EAGAIN when not, or an error number."""
        error = int(Stream.connect(self))
        return error if error or self._is_secure else self._shake_hands()

    def connect_wait(self, poller: ovs.poller.Poller) -> None:
        """Wake when the handshake can go on."""
        if self._awaited is None:
            super().connect_wait(poller)
        else:
            poller.fd_wait(self.socket, self._awaited)

    def _shake_hands(self) -> int:
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self._awaited = ovs.poller.POLLIN
            return errno.EAGAIN
        except ssl.SSLWantWriteError:
            self._awaited = ovs.poller.POLLOUT
            return errno.EAGAIN
        except ssl.SSLError as refusal:
            TlsStream.failure = f"the TLS handshake failed: {refusal}"
            return errno.EPROTO
        except OSError as failure:
            return failure.errno or errno.EPROTO
        self._is_secure = True
        return 0


Stream.register_method("ssl", TlsStream)
