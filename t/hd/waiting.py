# SPDX-License-Identifier: MIT
"""What a client of either protocol does with frames that come in between."""
from collections import deque


class Waiting:
    """Of a class with frame(), which returns the next kind and payload."""

    def __init__(self):
        self.waiting = deque()  # frames that a wait has passed over

    def wait(self, *kinds):
        """The next frame of one of these kinds; others are kept."""
        for i, (kind, payload) in enumerate(self.waiting):
            if kind in kinds:
                del self.waiting[i]
                return kind, payload
        while True:
            kind, payload = self.frame()
            if kind in kinds:
                return kind, payload
            self.waiting.append((kind, payload))
