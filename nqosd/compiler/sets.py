"""Which sets there are: the identity, name and description of an address set or port group.

Rule: a set belongs to a selection, never to a rule number, and its name is a hash of the selection and the owner: equal
selections share one set, a match can never point at another rule's members, and two instances never share a name.
"""

import hashlib
import json

import attrs

from nqosd.cache.selections import PodSelection
from nqosd.compiler.desired import Family
from nqosd.compiler.places import Place

PREFIX = "nqosd_"


@attrs.frozen(cache_hash=True)
class SetId:
    """The addresses of one family that selected pods have on a network; family None: their logical ports.

    `switch` is the switch of the senders, and empty for peers, who count in the whole cluster.
    """

    selection: PodSelection
    network: str
    switch: str
    family: Family | None

    def name(self, owner: str) -> str:
        """Name the set: letters, digits and `_`, so that it can stand behind `$` and `@` in a match."""
        selection = self.selection
        scope = selection.namespaces
        parts = [owner, selection.role, isinstance(scope, str), str(scope), str(selection.pods)]
        identity = json.dumps([*parts, self.network, self.switch, self.family])
        return PREFIX + hashlib.blake2b(identity.encode(), digest_size=10).hexdigest()

    def holds(self, place: Place) -> bool:
        """Say whether a place of a selected pod makes it a member."""
        mine = (self.network, self.family) == (place.network, place.family)
        return mine and self.switch in ("", place.switch)

    def __str__(self) -> str:
        where = f", switch {self.switch}" if self.switch else ""
        what = self.family or "ports"
        return f"{what} of {self.selection} on network {self.network}{where}"
