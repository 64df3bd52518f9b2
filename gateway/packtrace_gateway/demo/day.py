"""The demo's whole day, from an empty network to the end."""

import time

from rich.console import Console

from packtrace_gateway.demo.mishaps import Mishaps
from packtrace_gateway.demo.network import Network
from packtrace_gateway.demo.story import LOT, Story


def play(network: Network, console: Console, units: int) -> None:
    """Play the day with a lot of `units` packs."""
    begun = time.monotonic()
    story = Story(network, console, units)
    story.set_up()
    lot = story.commission(LOT, units)
    story.release(lot)
    labels = story.print_labels(lot)
    case = story.deliver(lot)
    first, second, third = lot.in_case[case][:3]
    story.dispense(lot, first, labels)
    story.take_back(lot, second)
    story.send_back(lot, third)
    Mishaps(story, lot, case).play(first, third)
    story.tell.act(f"The end of the day, after {time.monotonic() - begun:.0f} s.")
    story.tell.fact(f"Labels, databases, logs and the chain are in {network.folder}")
