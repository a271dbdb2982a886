"""What a changed configuration file can change in a running daemon.

In: the configuration in effect, and the one that the file holds now. Out: the configuration that takes effect, and
which keys wait for a restart. Rule: an option that isn't marked reloadable keeps its old value until then, so the
result is always a mixture that each part of the daemon can follow.
"""

import attrs
import msgspec

from nqosd.config.options import RELOADABLE, SECTIONS, Config


class Reload(msgspec.Struct, frozen=True):
    """`config` is what is in effect from now on; `applied` and `needs_restart` are keys, such as `log.level`."""

    config: Config
    applied: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()


def diff(old: Config, new: Config) -> Reload:
    """Say what a reload from `old` to `new` applies, and what it can't."""
    config = old
    applied: list[str] = []
    needs_restart: list[str] = []
    for section, options in SECTIONS.items():
        before, after = getattr(old, section), getattr(new, section)
        for field in attrs.fields(options):
            value = getattr(after, field.name)
            if getattr(before, field.name) == value:
                continue
            key = f"{section}.{field.name}"
            if not field.metadata[RELOADABLE]:
                needs_restart.append(key)
                continue
            applied.append(key)
            config = attrs.evolve(config, **{section: attrs.evolve(getattr(config, section), **{field.name: value})})
    return Reload(config, tuple(applied), tuple(needs_restart))
