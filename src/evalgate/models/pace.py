"""How many requests may be in flight at once: additive increase, multiplicative decrease, judged by windows.

A few throttled requests are the normal life of a shared server and must cost nothing but their own retry; a storm of
them means that asking less gets more. So the limit moves once per window of attempts, never on a single one.
"""

from __future__ import annotations

import asyncio
from collections import deque

WINDOW = 32  # attempts, at least; a 5 % rate of throttling shows 7 of 32 once in 3,000 windows
STORM = 0.20  # a window with a larger throttled share halves the limit
CALM = 0.10  # one with at most this share raises it


class Pace:
    """Admits attempts up to `limit`, which starts at `most` and stays within 1..most."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = most
        self.active = 0
        self._epoch = 0
        self._seen = 0
        self._throttled = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> int:
        """Waits for room. Returns a ticket for `leave`."""
        while self.active >= self.limit:
            room = asyncio.get_running_loop().create_future()
            self._waiting.append(room)
            await room
        self.active += 1
        return self._epoch

    def leave(self, ticket: int, *, throttled: bool) -> None:
        """Ends an attempt. Attempts begun before the limit last moved say nothing about the present one."""
        self.active -= 1
        if ticket == self._epoch:
            self._seen += 1
            self._throttled += throttled
            if self._seen >= max(WINDOW, self.limit):
                self._judge()
        if self._waiting:
            self._wake()

    def _judge(self) -> None:
        share = self._throttled / self._seen
        self._seen = self._throttled = 0
        before = self.limit
        if share > STORM:
            self.limit = max(1, self.limit // 2)
        elif share <= CALM:
            self.limit = min(self.most, self.limit + max(1, self.most // 8))
        self._epoch += self.limit != before

    def _wake(self) -> None:
        room = self.limit - self.active
        while room > 0 and self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                room -= 1
