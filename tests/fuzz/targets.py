"""The targets by name."""

from collections.abc import Callable, Mapping

from tests.fuzz.messages import Messages
from tests.fuzz.objects import Objects
from tests.fuzz.target import Target
from tests.fuzz.watches import Watches

TARGETS: Mapping[str, Callable[[], Target]] = {"objects": Objects, "watches": Watches, "messages": Messages}
