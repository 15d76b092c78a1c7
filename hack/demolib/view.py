"""The demo on a terminal: one chart a second, drawn in place."""
from __future__ import annotations

import shutil

from .twins import CORES_PER_POD, HPA, OURS

COLOUR = {"demand": "37", HPA: "33", OURS: "36", "forecast": "90", "bad": "31", "good": "32", "bold": "1"}


class View:
    def __init__(self, stream, speed, use_colour):
        self.stream, self.speed, self.use_colour = stream, speed, use_colour
        stream.write("\x1b[?25l\x1b[2J")

    def close(self):
        self.stream.write("\x1b[?25h\n")
        self.stream.flush()

    def paint(self, text, colour):
        return f"\x1b[{COLOUR[colour]}m{text}\x1b[0m" if self.use_colour else text

    def chart(self, ticks, end, width, height):
        """Rows of a chart: demand as blocks, capacities as lines; to the right of now the forecast."""
        now = ticks[-1]
        ahead = max((at for at, _, _ in now.forecast), default=now.at)
        begin, until = min(ticks[0].at, 0), max(min(end, ahead), now.at + 1)
        top = max([t.demand for t in ticks] + [u for _, _, u in now.forecast if _ is not None]
                  + [r * CORES_PER_POD for t in ticks for r in t.ready.values()] + [1]) * 1.05
        grid = [[(" ", None)] * width for _ in range(height)]

        def column(at):
            return min(width - 1, max(0, int((at - begin) / (until - begin) * width)))

        def row(value):
            return height - 1 - min(height - 1, max(0, int(value / top * height)))

        for tick in ticks:
            c = column(tick.at)
            for r in range(row(tick.demand), height):
                grid[r][c] = ("\u2591", "demand")
            for name, sign in ((HPA, "\u2500"), (OURS, "\u2501")):
                grid[row(tick.ready.get(name, 0) * CORES_PER_POD)][c] = (sign, name)
        for at, mean, upper in now.forecast:
            if now.at < at <= until:
                grid[row(upper)][column(at)] = ("\u00b7", "forecast")
                grid[row(mean)][column(at)] = ("\u25cb", "forecast")
        for r, cells in enumerate(grid):
            label = f"{top * (height - r) / height:5.1f} " if r % 3 == 0 else " " * 6
            yield label + "".join(self.paint(text, colour) if colour else text for text, colour in cells)

    def draw(self, twins, end):
        size = shutil.get_terminal_size((100, 30))
        ticks, now = twins.ticks, twins.ticks[-1]
        lines = [self.paint("AI4K8s beside the built-in HPA: the same traffic, the same target", "bold"),
                 f"trace time {max(now.at, 0) * self.speed / 60:5.1f} of {end * self.speed / 60:.0f} min at {self.speed:g}x"
                 + ("   warm-up: not counted yet" if now.at < 0 else ""), ""]
        lines += list(self.chart(ticks, end, max(20, size.columns - 8), max(8, size.lines - 12)))
        lines += ["", f"      {self.paint(chr(0x2591) * 2, 'demand')} demand {now.demand:5.2f} cores   "
                  f"{self.paint(chr(0x2500) * 2, HPA)} HPA   {self.paint(chr(0x2501) * 2, OURS)} AI4K8s   "
                  f"{self.paint(chr(0x25cb), 'forecast')} forecast   {self.paint(chr(0xb7), 'forecast')} 95 %"]
        for name, label in ((HPA, "HPA   "), (OURS, "AI4K8s")):
            account = twins.accounts[name]
            short = now.demand > now.ready.get(name, 0) * CORES_PER_POD
            lines.append(f"      {self.paint(label, name)} {now.ready.get(name, 0):3d} ready of {now.wanted.get(name, 0):3d}   "
                         + self.paint("short of capacity" if short else "serves all       ", "bad" if short else "good")
                         + f"   under-provisioned {account.under_s * self.speed / 60:5.1f} min")
        lines += ["", f"      forecast {'trusted' if now.trusted else 'not trusted yet'}   last decision: {now.message}"[:size.columns - 1]]
        self.stream.write("\x1b[H" + "\n".join(line + "\x1b[K" for line in lines) + "\x1b[J")
        self.stream.flush()
