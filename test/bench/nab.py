"""Scores anomalies as the Numenta Anomaly Benchmark does (Lavin and Ahmad 2015), from its published definition.

Each labelled window counts once, for the earliest alarm in it, the more the earlier; an alarm outside costs, the more the
farther it is behind a window; a window without an alarm costs. The first 15 % of a series (at most 750 rows) are not
scored. 100 is every window at its first row and nothing else, 0 is no alarm at all.
"""
from __future__ import annotations

import bisect
import math

PROFILES = {"standard": (1.0, 0.11, 1.0), "reward_low_FP": (1.0, 0.22, 1.0), "reward_low_FN": (1.0, 0.11, 2.0)}
PROBATION_SHARE, PROBATION_ROWS = 0.15, 750


def worth(position):
    """1 well before the end of a window, 0 at it, -1 far behind."""
    return -1.0 if position > 3 else 2 / (1 + math.exp(5 * position)) - 1


class Labelled:
    """A series: for each row that is scored the window it lies in (None: outside), and what an alarm there is worth."""

    def __init__(self, times, windows):
        self.windows = [(bisect.bisect_left(times, first), bisect.bisect_left(times, last)) for first, last in windows]
        self.rows = []
        probation = min(math.floor(PROBATION_SHARE * len(times)), PROBATION_ROWS)
        for i in range(probation, len(times)):
            inside = next((k for k, (first, last) in enumerate(self.windows) if first <= i <= last), None)
            before = [w for w in self.windows if w[1] < i]
            if inside is not None:
                first, last = self.windows[inside]
                gain = worth(-(last - i + 1) / (last - first + 1)) / worth(-1.0)
            elif before:
                first, last = before[-1]
                gain = worth((i - last) / max(last - first, 1))
            else:
                gain = -1.0
            self.rows.append((i, inside, gain))


def sweep(labelled, scores, profile):
    """(threshold, score of the benchmark) for each threshold there is, the highest first."""
    gain, cost, miss = PROFILES[profile]
    alarms = sorted(((scores[n][i], n, k, u) for n, series in labelled.items() for i, k, u in series.rows), key=lambda a: -a[0])
    total = sum(len(series.windows) for series in labelled.values())
    best = {(n, k): -miss for n, series in labelled.items() for _, k, _ in series.rows if k is not None}
    raw, worst, out = -miss * len(best), -miss * len(best), []
    for at, (score, n, k, u) in enumerate(alarms):
        if k is None:
            raw += cost * u
        elif gain * u > best[n, k]:
            raw += gain * u - best[n, k]
            best[n, k] = gain * u
        if at + 1 == len(alarms) or alarms[at + 1][0] != score:
            out.append((score, 100 * (raw - worst) / (gain * total - worst)))
    return out


def outcome(labelled, scores, threshold):
    """Windows hit, windows, and alarms outside of all."""
    hit, windows, outside = set(), set(), 0
    for n, series in labelled.items():
        for i, k, _ in series.rows:
            if k is not None:
                windows.add((n, k))
            if scores[n][i] >= threshold:
                if k is None:
                    outside += 1
                else:
                    hit.add((n, k))
    return len(hit), len(windows), outside
