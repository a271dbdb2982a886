"""What the file accepts and assumes is what the layers accept and assume; they know nothing of each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqosd.compiler.settings import Settings
from nqosd.config import Config, ConfigError, parse
from nqosd.informers.reflector_steps import ReflectorOptions
from nqosd.ovsdb.connection_options import Options
from nqosd.ovsdb.remotes import NORTHBOUND_SOCKET, Remote, remotes


def test_the_northbound_layer_has_the_same_defaults() -> None:
    """The section [northbound] documents what that layer does when nobody tells it anything."""
    ours, theirs = Config().northbound, Options()
    assert remotes(ours.remotes, NORTHBOUND_SOCKET) == theirs.remotes
    assert Config().daemon.instance == theirs.owner == Settings().owner
    for name in ("lock", "probe_interval", "transaction_timeout", "detach_after", "audit_interval"):
        assert getattr(ours, name) == getattr(theirs, name), name


def test_the_informers_have_the_same_defaults() -> None:
    """The section [kubernetes] documents what informers do when nobody tells them anything."""
    ours, theirs = Config().kubernetes, ReflectorOptions()
    assert (ours.page_size, ours.crd_retry, ours.watch_time, ours.list_interval) == (
        theirs.page_size,
        theirs.absence,
        theirs.watch_time,
        theirs.list_interval,
    )
    assert Settings().any_network == (Config().daemon.unselected_networks == "all")


HOSTS = st.sampled_from(["127.0.0.1", "db.example", "[fd00::1]", "[::1]", "a_b", "fd00::1", "", "a b", "[a"])
PORTS = st.sampled_from(["0", "1", "6641", "65535", "65536", "x", "-1", ""])
REMOTES = st.one_of(
    st.builds("{}:{}:{}".format, st.sampled_from(["tcp", "unix", "ptcp", ""]), HOSTS, PORTS),
    st.builds("unix:{}".format, st.sampled_from(["/run/x.sock", "x.sock", ""])),
)


@given(REMOTES)
def test_an_accepted_remote_can_be_used(remote: str) -> None:
    """A remote that passes the check of the file passes that of the layer too: no late surprise."""
    try:
        parse(f"[northbound]\nremotes = ['{remote}']")
    except ConfigError:
        return
    assert str(Remote(remote)) == remote


@pytest.mark.parametrize("option", ["probe_interval = 1", "detach_after = 0", "audit_interval = 1"])
def test_the_bounds_are_within_those_of_the_layer(option: str) -> None:
    """The lowest values that the file accepts are accepted by the layer."""
    section = parse(f"[northbound]\n{option}").northbound
    Options(
        probe_interval=section.probe_interval,
        detach_after=section.detach_after,
        audit_interval=section.audit_interval,
        transaction_timeout=section.transaction_timeout,
    )
