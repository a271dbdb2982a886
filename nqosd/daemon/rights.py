"""What the daemon must be allowed to do at the API server: no more, no less.

In: the kinds that it reads, the options of what it writes. Out: `Right`s. Rule: config/rbac grants these and no
others (a test compares), and `nqosd doctor` asks for each.
"""

import msgspec

from nqosd.config import Config
from nqosd.daemon.daemon_options import report_namespace
from nqosd.informers.resources import OVN, RESOURCES


class Right(msgspec.Struct, frozen=True):
    """To do something with all objects of a resource, `plural` or `plural/subresource`, in a namespace, or in all."""

    verb: str
    group: str
    resource: str
    namespace: str = ""

    def __str__(self) -> str:
        plural, slash, subresource = self.resource.partition("/")
        place = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {plural}{f'.{self.group}' if self.group else ''}{slash}{subresource}{place}"


READING = tuple(Right(verb, each.group, each.plural) for each in RESOURCES for verb in ("list", "watch"))
STATUS = (Right("patch", OVN, "networkqoses/status"),)
EVENTS = (Right("create", "events.k8s.io", "events"),)
REPORTING = ("get", "list", "create", "update", "patch", "delete")
"""What is done with Leases, in the one namespace in which zones report."""


def rights(config: Config) -> tuple[Right, ...]:
    """Give the rights that a configuration needs; with the defaults that is all of them."""
    section = config.status
    if not section.enabled:
        return READING
    namespace = report_namespace(config)
    leases = (Right(verb, "coordination.k8s.io", "leases", namespace) for verb in REPORTING)
    return (*READING, *STATUS, *leases, *(EVENTS if section.events else ()))
