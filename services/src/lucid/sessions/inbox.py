"""Things to do one at a time, in the order they came, and tasks that feed them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from lucid_kit.clock import Clock

Work = Callable[[], Awaitable[None]]


class Inbox:
    """A queue of work and the tasks that put work into it. What is not done when it closes is dropped."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: asyncio.Queue[Work] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    def post(self, handler: Callable[..., Awaitable[None]], *values: Any) -> None:
        """Do `handler(*values)` when its turn comes."""
        self._queue.put_nowait(lambda: handler(*values))

    async def next(self) -> Work:
        return await self._queue.get()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a task beside the queue, until it ends or `close`."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def later(self, seconds: float, handler: Work) -> asyncio.Task[None]:
        """Post `handler` after a while; cancel what is returned to prevent it."""

        async def wait() -> None:
            await self._clock.sleep(seconds)
            self.post(handler)

        return self.start(wait())

    async def every(self, seconds: float, handler: Work) -> None:
        """Post `handler` again and again, first after `seconds`."""
        while True:
            await self._clock.sleep(seconds)
            self.post(handler)

    async def close(self) -> None:
        """Stop the tasks and drop what waits."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while not self._queue.empty():
            self._queue.get_nowait()
