"""A reload applies what can change in a running daemon and names what can't."""

import attrs
import pytest

from nqosd.config import Config, DaemonSection, HttpSection, LogSection, NorthboundSection, Reload, diff
from nqosd.config.options import RELOADABLE, SECTIONS


def test_nothing_changed() -> None:
    """Equal configurations give nothing to apply."""
    assert diff(Config(), Config()) == Reload(Config())


def test_a_mixed_change() -> None:
    """Reloadable options take their new value, the others keep the old one, and both are named in file order."""
    old = Config(daemon=DaemonSection(zone="a"), http=HttpSection(listen="127.0.0.1:1"))
    new = Config(
        daemon=DaemonSection(zone="b", batch_window=1.0),
        http=HttpSection(listen="127.0.0.1:2"),
        log=LogSection(level="debug", format="json"),
    )
    assert diff(old, new) == Reload(
        config=Config(
            daemon=DaemonSection(zone="a", batch_window=1.0),
            http=HttpSection(listen="127.0.0.1:1"),
            log=LogSection(level="debug", format="json"),
        ),
        applied=("daemon.batch_window", "log.level", "log.format"),
        needs_restart=("daemon.zone", "http.listen"),
    )


def test_what_waits_for_a_restart_is_named_again() -> None:
    """An option that couldn't be applied is named at the next reload too, since it is still not in effect."""
    new = Config(northbound=NorthboundSection(lock="other"))
    assert diff(diff(Config(), new).config, new).needs_restart == ("northbound.lock",)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_option_goes_one_way(section: str) -> None:
    """Each option, changed alone, is either applied or waits for a restart, as it is marked."""
    for field in attrs.fields(SECTIONS[section]):
        changed = attrs.evolve(getattr(Config(), section), **{field.name: object()})
        new = attrs.evolve(Config(), **{section: changed})
        key = (f"{section}.{field.name}",)
        expected = Reload(new, key, ()) if field.metadata[RELOADABLE] else Reload(Config(), (), key)
        assert diff(Config(), new) == expected
