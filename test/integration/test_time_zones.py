"""Time zones and cron, held against Python's zoneinfo and a reading of cron that shares no idea with ours.

Ours walks segments of the clock and asks for the latest matching minute. The reference here goes
day by day, makes every firing of the day, asks zoneinfo where it falls (and of a time that the
clock skips, which minute comes next), and takes the latest that is not in the future.
"""

from __future__ import annotations

import datetime
import os
import pathlib
import random
import subprocess
import zoneinfo

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CHECK = pathlib.Path(os.environ.get("AI4K8S_BUILD") or ROOT / "build-san") / "test" / "zone_check"
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1)
MINUTE = datetime.timedelta(minutes=1)
# Both hemispheres, half hours, midnight and half-hour changes, no summer time, "negative" summer time, Ramadan, far east and west.
ZONES = ["Europe/Berlin", "America/New_York", "America/Los_Angeles", "Australia/Lord_Howe", "Australia/Adelaide",
         "Pacific/Auckland", "Pacific/Chatham", "America/Santiago", "America/Asuncion", "America/Havana", "Asia/Beirut",
         "Asia/Gaza", "Africa/Casablanca", "Africa/Cairo", "Europe/Dublin", "America/Nuuk", "America/St_Johns",
         "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Apia", "Pacific/Kiritimati", "Etc/GMT+12", "UTC"]
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
DAYS = "sun mon tue wed thu fri sat".split()


def ask(lines):
    done = subprocess.run([CHECK], input="\n".join(lines) + "\n", capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines)
    return answers


def seconds(naive):
    return int((naive - EPOCH).total_seconds())


def changes(zone, rng, n):
    """Moments near changes of the clock: found by looking at the offset once a day."""
    found = []
    while len(found) < n:
        moment = datetime.datetime(rng.randint(1985, 2099), rng.randint(1, 12), rng.randint(1, 28), tzinfo=UTC)
        for _ in range(366):
            after = moment + datetime.timedelta(days=1)
            if moment.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
                while after - moment > MINUTE:
                    middle = moment + (after - moment) // 2
                    if middle.astimezone(zone).utcoffset() == moment.astimezone(zone).utcoffset():
                        moment = middle
                    else:
                        after = middle
                found.append(after)
                break
            moment = after
        else:
            return found or [moment]
    return found


def first(zone, naive):
    """When the clock shows it for the first time; the next minute that it does show where it skips it."""
    while True:
        moment = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == naive:
            return moment
        naive += MINUTE


def test_offsets_of_all_zones():
    rng = random.Random(1)
    lines, wanted = [], []
    for name in sorted(zoneinfo.available_timezones()):
        if not name[0].isupper() or name == "Factory":
            continue
        zone = zoneinfo.ZoneInfo(name)
        for _ in range(60):
            moment = datetime.datetime(1970, 1, 2, tzinfo=UTC) + datetime.timedelta(seconds=rng.randrange(130 * 31557600))
            lines.append(f"offset {name} {int(moment.timestamp())}")
            wanted.append(str(int(moment.astimezone(zone).utcoffset().total_seconds())))
    assert len(lines) > 20000
    found = ask(lines)
    assert found == wanted, [x for x in zip(lines, wanted, found) if x[1] != x[2]][:5]


def test_first_moment_of_a_local_time():
    rng = random.Random(2)
    lines, wanted = [], []
    for name in ZONES:
        zone = zoneinfo.ZoneInfo(name)
        for change in changes(zone, rng, 12):
            for _ in range(40):
                naive = (change.astimezone(zone).replace(tzinfo=None, second=0)
                         + datetime.timedelta(minutes=rng.randint(-180, 180)))
                lines.append(f"first {name} {seconds(naive)}")
                wanted.append(str(int(first(zone, naive).timestamp())))
    found = ask(lines)
    assert found == wanted, [x for x in zip(lines, wanted, found) if x[1] != x[2]][:5]


class Cron:
    """A random one: its text, and its sets made beside the text."""

    def __init__(self, rng):
        self.rng = rng
        texts = []
        self.sets = []
        for low, high, names, star in ((0, 59, None, 0.3), (0, 23, None, 0.4), (1, 31, None, 0.6), (1, 12, MONTHS, 0.8),
                                       (0, 6, DAYS, 0.6)):
            text, values = self.field(low, high, names, star)
            texts.append(text)
            self.sets.append(values)
        self.text = " ".join(texts)
        self.either = not texts[2].startswith("*") and not texts[4].startswith("*")

    def field(self, low, high, names, star):
        rng = self.rng
        if rng.random() < star:
            step = rng.choice([1, 1, 1, 2, 5])
            return ("*" if step == 1 else f"*/{step}"), set(range(low, high + 1, step))
        texts, values = [], set()
        for _ in range(rng.choice([1, 1, 2, 3])):
            a = rng.randint(low, high)
            b = rng.randint(a, high)
            step = rng.choice([1, 1, 2, 7])
            say = (lambda v: rng.choice([str(v), names[v - low], names[v - low].upper()])) if names else str
            if rng.random() < 0.5:
                texts.append(say(a))
                values.add(a)
            else:
                texts.append(f"{say(a)}-{say(b)}" + (f"/{step}" if step > 1 else ""))
                values |= set(range(a, b + 1, step))
        return ",".join(texts), values

    def on(self, day):
        minute, hour, dom, month, dow = self.sets
        weekday = day.isoweekday() % 7
        days = [day.day in dom, weekday in dow]
        return day.month in month and (any(days) if self.either else all(days))

    def last(self, zone, now):
        """The local time and the moment of the last firing within 60 days."""
        local = now.astimezone(zone).replace(tzinfo=None)
        for back in range(-1, 60):
            day = (local - datetime.timedelta(days=back)).date()
            if not self.on(day):
                continue
            # A change of the clock is at most a day: two days of firings hold the latest.
            fired = []
            for minute in sorted(h * 60 + m for h in self.sets[1] for m in self.sets[0]):
                naive = datetime.datetime.combine(day, datetime.time(minute // 60, minute % 60))
                moment = first(zone, naive)
                if moment <= now:
                    fired.append((seconds(naive), int(moment.timestamp())))
            if fired:
                return max(fired)
        return None


def test_last_firing_of_cron():
    rng = random.Random(3)
    lines, wanted = [], []
    for name in ZONES:
        zone = zoneinfo.ZoneInfo(name)
        moments = []
        for change in changes(zone, rng, 8):
            moments += [change + datetime.timedelta(minutes=rng.randint(-150, 150)) for _ in range(6)]
        moments += [datetime.datetime(1990, 1, 1, tzinfo=UTC) + datetime.timedelta(seconds=rng.randrange(100 * 31557600))
                    for _ in range(20)]
        for now in moments:
            cron = Cron(rng)
            last = cron.last(zone, now.replace(microsecond=0))
            if last:
                lines.append(f"last {name} {int(now.timestamp())} {cron.text}")
                wanted.append(f"{last[0]} {last[1]}")
    assert len(lines) > 600
    found = ask(lines)
    assert found == wanted, [x for x in zip(lines, wanted, found) if x[1] != x[2]][:5]
