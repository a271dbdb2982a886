"""The daemon under test, as a user would start it: `nqosd run --config FILE`.

In: the Northbound database and a kubeconfig. Out: a running daemon. The rule: it gets nothing but its configuration.
"""

import http.client
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.services.kubernetes import DAEMON, ApiServer
from tests.services.ovsdb import OvsdbServer
from tests.services.process import Service, free_port

CONFIG = """\
[kubernetes]
kubeconfig = "{kubeconfig}"

[northbound]
remotes = ["{remote}"]

[http]
listen = "127.0.0.1:{port}"
"""


class Nqosd(Service):
    """A daemon between an API server and a Northbound database."""

    def __init__(self, nb: OvsdbServer, server: ApiServer, *, directory: Path | None = None) -> None:
        super().__init__("nqosd", directory=directory)
        self._port = free_port()
        self._config = self.directory / "nqosd.toml"
        kubeconfig = server.kubeconfig(DAEMON)
        self._config.write_text(CONFIG.format(kubeconfig=kubeconfig, remote=nb.remotes, port=self._port))

    def command(self) -> Sequence[str]:
        """Return the command that a user would type, with this interpreter."""
        return [sys.executable, "-m", "nqosd", "run", "--config", str(self._config)]

    def is_ready(self) -> bool:
        """Return whether /readyz says yes."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
