"""Where control planes live on this machine: directories, their lock, their ports.

    BASE = ${XDG_RUNTIME_DIR or TMPDIR or /tmp}/ai4k8s-UID
    BASE/NAME/             everything of one control plane; `state.json` says what runs
    BASE/.lock             taken while a name and its ports are being chosen
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import re
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import ControlPlaneError

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?")
LOWEST_PORT = 20000


def base_directory() -> str:
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), os.environ.get("TMPDIR"), "/tmp"):
        if parent and os.path.isdir(parent) and os.access(parent, os.W_OK):
            return os.path.join(os.path.realpath(parent), f"ai4k8s-{os.getuid()}")
    raise ControlPlaneError("neither $XDG_RUNTIME_DIR nor $TMPDIR nor /tmp can be written")


def directory_of(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ControlPlaneError(f"{name!r} is not a name for a control plane: lower case "
                                "letters, digits and hyphens, at most 50")
    return os.path.join(base_directory(), name)


def names() -> list[str]:
    """All control planes that have a directory, running or not."""
    base = base_directory()
    if not os.path.isdir(base):
        return []
    return sorted(name for name in os.listdir(base)
                  if NAME.fullmatch(name) and os.path.isdir(os.path.join(base, name)))


@contextmanager
def locked_base() -> Iterator[str]:
    """The base directory, ours alone and locked. When it is empty afterwards it goes."""
    base = base_directory()
    path = os.path.join(base, ".lock")
    while True:
        os.makedirs(base, mode=0o700, exist_ok=True)
        about = os.lstat(base)
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
            raise ControlPlaneError(f"{base} is not a directory of yours; remove it, or set "
                                    "TMPDIR to a directory that is")
        if stat.S_IMODE(about.st_mode) & 0o077:
            os.chmod(base, 0o700)  # it holds keys
        try:
            file = open(path, "w", encoding="ascii")
        except FileNotFoundError:
            continue  # the last `down` has just removed the directory
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                if os.stat(path).st_ino != os.fstat(file.fileno()).st_ino:
                    continue
            except FileNotFoundError:
                continue
            try:
                yield base
            finally:
                if os.listdir(base) == [".lock"]:
                    os.unlink(path)
                    os.rmdir(base)
            return


def read_state(directory: str) -> dict[str, Any] | None:
    try:
        with open(os.path.join(directory, "state.json"), encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def write_state(directory: str, state: dict[str, Any]) -> None:
    path = os.path.join(directory, "state.json")
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(state, file, indent=1)
    os.rename(path + ".new", path)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on. Call it with the base locked.

    They are taken from below the range the kernel gives to outgoing connections, so
    that a program which is stopped for a while finds its port free again, and never
    one that another control plane has on file.
    """
    taken = {port for name in names()
             for port in (read_state(directory_of(name)) or {}).get("ports", {}).values()}
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            end = int(file.read().split()[0])
    except OSError:
        end = 32768
    candidates = [port for port in range(LOWEST_PORT, end) if port not in taken]
    random.shuffle(candidates)
    chosen: list[int] = []
    for port in candidates:
        if len(chosen) == count:
            return chosen
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                chosen.append(port)
            except OSError:
                pass
    held: list[socket.socket] = []  # that range is closed on this machine: any port
    while len(chosen) < count:
        probe = socket.socket()
        held.append(probe)
        probe.bind(("127.0.0.1", 0))
        chosen.append(probe.getsockname()[1])
    for probe in held:
        probe.close()
    return chosen
