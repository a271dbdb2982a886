"""What a person finds in the database to lay hands on."""

from tests.faults.site import Site


def own_row(site: Site, switch: str) -> str:
    """Return the uuid of one of our rows with a limit on a switch."""
    ours = site.nb.nbctl(
        "--bare", "--columns=_uuid", "find", "QoS", "external_ids:nqosd.io/owner=nqosd",
        f"external_ids:nqosd.io/switch={switch}", "bandwidth:rate=20000",
    ).split()  # fmt: skip
    return ours[0]


def own_set(site: Site) -> str:
    """Return the name of one of our address sets that has members."""
    lines = site.nb.nbctl(
        "--bare", "--format=csv", "--columns=name,addresses", "find", "Address_Set",
        "external_ids:nqosd.io/owner=nqosd",
    ).splitlines()  # fmt: skip
    return next(line.partition(",")[0] for line in sorted(lines) if line.partition(",")[2])
