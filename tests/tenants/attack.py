"""An attack: what is done, and what is said of it in docs/security.md."""

from collections.abc import Callable

import attrs

from tests.tenants.attacker import Attacker


@attrs.frozen
class Attack:
    """`begin` writes the attacker's objects; then `again` is called with 0, 1, 2… and changes something each time.

    `limits` are the switches on which the attacker's own pods come under a limit of the attacker's.
    """

    what: str
    needs: str
    """What the attacker must be allowed to write."""
    before: str
    """The worst effect on others in revision dd6334f."""
    now: str
    begin: Callable[[Attacker], None]
    again: Callable[[Attacker, int], None] = Attacker.update
    limits: frozenset[str] = frozenset()
    tests: tuple[str, ...] = ()
    """Tests beside the one that holds every attack."""

    @property
    def name(self) -> str:
        """A word for it."""
        return self.begin.__name__
