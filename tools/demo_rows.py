"""`make demo-rows`: the daemon on the guide's objects, against an embedded OVN Northbound database.

In: the manifests in docs/examples. Out: on standard output, the rows as ovn-nbctl shows them, and what one more pod
changes. Rule: everything shown is read back from the database or from the daemon's metrics.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.services.daemon import Nqosd
from tests.services.generation import GENERATIONS
from tests.services.ovsdb import OvsdbServer

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
SWITCHES = ("ovn.stream_ovn-worker", "ovn.stream_ovn-worker2")


def main() -> int:
    """Run the demo."""
    with tempfile.TemporaryDirectory(prefix="nqosd-demo-") as name, OvsdbServer(GENERATIONS[0]) as northbound:
        folder = Path(name)
        say(f"an OVN {GENERATIONS[0].series} Northbound database with the switches of the guide's network")
        for switch in SWITCHES:
            run(northbound, "ls-add", switch)

        for manifest in sorted((EXAMPLES / "guide").iterdir()):
            shutil.copy(manifest, folder)
        say(f"nqosd on the guide's objects: {', '.join(sorted(each.name for each in folder.iterdir()))}")
        with Nqosd([northbound.unix], manifests=[folder]) as daemon:
            daemon.wait_until(lambda: bool(members(northbound)), what="done with the first round")
            daemon.settle()
            say("its rows, as ovn-nbctl shows them")
            for switch in SWITCHES:
                run(northbound, "qos-list", switch)
            run(northbound, "--columns=priority,direction,action,bandwidth,external_ids", "list", "QoS")
            run(northbound, "--columns=name,addresses,external_ids", "list", "Address_Set")

            say("a fourth pod with nqos-app=bw-limited, on ovn-worker")
            show_change(northbound, daemon, lambda: shutil.copy(EXAMPLES / "pod3.yaml", folder))

            say("and gone again")
            show_change(northbound, daemon, (folder / "pod3.yaml").unlink)
        say("the daemon has stopped; its rows stay")
        run(northbound, "--columns=priority,action,bandwidth", "list", "QoS")
    return 0


def say(what: str) -> None:
    """Announce a step."""
    print(f"\n=== {what}", flush=True)


def run(northbound: OvsdbServer, *arguments: str) -> None:
    """Run ovn-nbctl, and show the command with what it prints."""
    print(f"$ ovn-nbctl {' '.join(arguments)}")
    print(northbound.nbctl(*arguments).rstrip(), flush=True)


def members(northbound: OvsdbServer) -> dict[str, frozenset[str]]:
    """Read the address sets."""
    lines = northbound.nbctl("--bare", "--format=csv", "--columns=name,addresses", "list", "Address_Set").splitlines()
    sets = (line.partition(",") for line in lines if line.startswith("nqosd_"))
    return {name: frozenset(addresses.split()) for name, _comma, addresses in sets}


def show_change(northbound: OvsdbServer, daemon: Nqosd, change: Callable[[], object]) -> None:
    """Change a manifest, wait for what comes of it, and show that with what it took."""
    before, counts = members(northbound), written(daemon)
    change()
    daemon.wait_until(lambda: members(northbound) != before, what="done with the change")
    daemon.settle()
    after = members(northbound)
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, frozenset()), after.get(name, frozenset())
        change_ = f"{', '.join(sorted(was))}  ->  {', '.join(sorted(now))}" if was != now else "unchanged"
        print(f"  ${name}: {change_}")
    for what, number in written(daemon).items():
        if number != counts.get(what, 0):
            print(f"  {what}: +{number - counts.get(what, 0):.0f}")
    sys.stdout.flush()


def written(daemon: Nqosd) -> dict[str, float]:
    """Read how many transactions were committed, and how many operations of each kind were in them."""
    names = {"nqosd_transactions_total": "transactions", "nqosd_operations_total": "operations"}
    found = daemon.metrics().items()
    return {
        f"{names[name]} {', '.join(value for _label, value in labels)}": number
        for (name, labels), number in found
        if name in names
    }


if __name__ == "__main__":
    sys.exit(main())
