"""Programs that outlive the script which started them, and never the wrong one.

A process is known by its id *and* the time it started at: an id that was given
to another process since is seen as "gone", never signalled. Signals go through
a pidfd, so that even between the check and the signal nothing can be mistaken.

Every program carries the directory of its control plane in its environment
(MARKER): what a crash left without a file about it is still found.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time

MARKER = "AI4K8S_CP_PROCESS"


def start_time(pid: int) -> int | None:
    """When process `pid` started, in clock ticks since boot; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except OSError:
        return None


def is_alive(pid: int, started: int) -> bool:
    """Until its last thread has ended: the first may be a zombie while ports are still held."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        return start_time(pid) == started and not _has_ended(fd)
    finally:
        os.close(fd)


def _has_ended(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def age(started: int) -> float:
    """Seconds since a process with this start time started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def cpu_seconds(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_stopped(pid: int) -> bool:
    """Frozen by SIGSTOP, down to the last thread."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[0] != b"T":
                    return False
        return True
    except OSError:
        return False


def spawn(argv: list[str], log: str, directory: str,
          variables: dict[str, str] | None = None) -> tuple[int, int]:
    """Starts a program in its own session, its output appended to `log`: (pid, start time)."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": directory, MARKER: directory,
                   **(variables or {})}
    with open(log, "ab") as output:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                 cwd=directory, env=environment, start_new_session=True)
    started = start_time(child.pid) or 0
    child.returncode = 0  # it is to outlive this object: no warning, no waiting
    return child.pid, started


def send(pid: int, started: int, number: int) -> bool:
    """Signals exactly this process; False when it is gone."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if start_time(pid) != started or _has_ended(fd):
            return False
        signal.pidfd_send_signal(fd, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)


def terminate(pid: int, started: int, number: int = signal.SIGTERM) -> bool:
    """Asks exactly this process to end; a frozen one is woken, or it would never hear of it.

    Only such a one: SIGCONT takes back a SIGSTOP that is under way, and the leak checker of a sanitized
    program begins with one when the program ends, and waits for what comes of it without end."""
    sent = send(pid, started, number)
    if sent and is_stopped(pid):
        send(pid, started, signal.SIGCONT)
    return sent


def wait_gone(processes: list[tuple[int, int]], timeout: float) -> list[tuple[int, int]]:
    """Waits until all have ended; returns those that have not."""
    deadline = time.monotonic() + timeout
    while True:
        for pid, _ in processes:  # our own children have to be collected
            try:
                os.waitpid(pid, os.WNOHANG)
            except OSError:
                pass
        processes = [p for p in processes if is_alive(*p)]
        if not processes or time.monotonic() >= deadline:
            return processes
        time.sleep(0.02)


def stop(processes: list[tuple[int, int]], grace: float = 3.0) -> list[tuple[int, int]]:
    """TERM, then KILL what is left after `grace` seconds; returns what survived even that."""
    for process in processes:
        terminate(*process)
    left = wait_gone(processes, grace)
    for process in left:
        send(*process, signal.SIGKILL)
    return wait_gone(left, 10.0)


def marked(directory: str) -> list[tuple[int, int]]:
    """All processes of the control plane in `directory`, whether on file or not."""
    wanted = f"{MARKER}={directory}".encode()
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                environment = file.read().split(b"\0")
        except OSError:
            continue
        started = start_time(int(name))
        if wanted in environment and started is not None and is_alive(int(name), started):
            found.append((int(name), started))
    return found


def wait_for_end_of(pid: int, started: int) -> None:
    """Blocks until the process has ended."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if is_alive(pid, started):
            select.select([fd], [], [])
    finally:
        os.close(fd)
