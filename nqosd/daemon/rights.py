"""What the daemon must be allowed to do at the API server: no more, no less.

In: the kinds that it reads, the options of what it writes. Out: `Right`s. Rule: config/rbac grants these and no
others (a test compares), and `nqosd doctor` asks for each.
"""

import attrs

from nqosd.config import Config
from nqosd.informers.resources import OVN, RESOURCES


@attrs.frozen
class Right:
    """To do something with all objects of a resource, `plural` or `plural/subresource`, in all namespaces."""

    verb: str
    group: str
    resource: str

    def __str__(self) -> str:
        plural, slash, subresource = self.resource.partition("/")
        return f"{self.verb} {plural}{f'.{self.group}' if self.group else ''}{slash}{subresource}"


READING = tuple(Right(verb, each.group, each.plural) for each in RESOURCES for verb in ("list", "watch"))
STATUS = (Right("patch", OVN, "networkqoses/status"),)
EVENTS = (Right("create", "events.k8s.io", "events"),)


def rights(config: Config) -> tuple[Right, ...]:
    """Give the rights that a configuration needs; with the defaults that is all of them."""
    section = config.status
    return (*READING, *(STATUS if section.enabled else ()), *(EVENTS if section.enabled and section.events else ()))
