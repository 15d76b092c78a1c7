"""Which worker of pytest-xdist runs what: the slowest first, and no test behind a slow one that another could run.

xdist deals chunks of neighbours, a quarter of what each worker will get: sorted by time, all slow tests would be one
worker's. A worker has to know the test after the one that it runs, so that two at a time is the least.
"""

from __future__ import annotations

from xdist.scheduler.load import LoadScheduling


class TwoAtATime(LoadScheduling):
    def schedule(self) -> None:
        super().schedule()
        # Each has got one, in order: behind the slowest comes the shortest of the second round.
        for node in reversed(self.nodes):
            self.check_schedule(node)

    def check_schedule(self, node, duration: float = 0) -> None:
        if node.shutting_down:
            return
        while self.pending and len(self.node2pending[node]) < 2:
            self._send_tests(node, 1)
        if not self.pending:
            node.shutdown()

    def _send_tests(self, node, num: int) -> None:
        super()._send_tests(node, 1)
