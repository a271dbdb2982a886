"""The targets by name."""

from collections.abc import Callable, Mapping

from tools.fuzz.messages import Messages
from tools.fuzz.objects import Objects
from tools.fuzz.target import Target
from tools.fuzz.watches import Watches

TARGETS: Mapping[str, Callable[[], Target]] = {"objects": Objects, "watches": Watches, "messages": Messages}
