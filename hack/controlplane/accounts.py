"""Service accounts' tokens, and the place where a pod finds them."""

from __future__ import annotations

import os
import re
import shutil
import tempfile

from kubeapi import ApiError, Client

from .errors import ControlPlaneError

POD_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"

# In a mount namespace of its own the program sees the directory under the path that is fixed in
# every client. /run (where /var/run leads) is covered, not changed: nothing is left on the machine.
_AS_IN_A_POD = f"""
exec 3<"$1"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p {POD_DIRECTORY.removeprefix("/var")}
mount -c --bind /proc/self/fd/3 {POD_DIRECTORY.removeprefix("/var")}
exec 3<&-
shift
exec "$@"
"""

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def seconds(duration: str | float) -> float:
    """'1h30m', '90s', '1.5h' or a number of seconds."""
    if isinstance(duration, (int, float)):
        return float(duration)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ControlPlaneError(f"{duration!r} is not a duration; write 90s, 10m or 1h30m")
    return sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)


def token(api: Client, namespace: str, name: str, duration: str | float) -> str:
    lifetime = int(seconds(duration))
    if lifetime < 600:
        raise ControlPlaneError("the API server gives tokens for 10 minutes or longer, "
                                f"not for {lifetime} s")
    try:
        answer = api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
                          {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                           "spec": {"expirationSeconds": lifetime}})
    except ApiError as error:
        if error.status == 404:
            raise ControlPlaneError(
                f"there is no service account {name!r} in namespace {namespace!r}; create it "
                f"with `kubectl create serviceaccount -n {namespace} {name}`") from error
        raise
    return answer["status"]["token"]


def write_projected(directory: str, files: dict[str, str]) -> None:
    """Files as a kubelet projects them: all replaced at once, by swapping one link.

        token -> ..data/token      ..data -> ..2026_11_21_XXXX      ..2026_.../token
    """
    os.makedirs(directory, mode=0o700, exist_ok=True)
    data = os.path.join(directory, "..data")
    if os.listdir(directory) and not os.path.islink(data):
        raise ControlPlaneError(f"{directory} is not empty and not a directory that this "
                                "command made; choose another")
    old = os.readlink(data) if os.path.islink(data) else None
    fresh = tempfile.mkdtemp(prefix="..", dir=directory)
    for name, text in files.items():
        with open(os.open(os.path.join(fresh, name), os.O_WRONLY | os.O_CREAT, 0o600), "w",
                  encoding="utf-8") as file:
            file.write(text)
    os.symlink(os.path.basename(fresh), data + "_new")
    os.rename(data + "_new", data)
    for name in files:
        link = os.path.join(directory, name)
        if not os.path.islink(link):
            os.symlink(os.path.join("..data", name), link)
    if old:
        shutil.rmtree(os.path.join(directory, old), ignore_errors=True)


def as_in_a_pod(directory: str, argv: list[str]) -> list[str]:
    """The command line that runs `argv` with `directory` in the place of a pod's account.

    It becomes `argv` (same process id). Without root it takes a user namespace, in which the
    program sees itself as root.
    """
    unshare = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() != 0:
        unshare += ["--user", "--map-root-user"]
    return [*unshare, "--", "sh", "-ec", _AS_IN_A_POD, "sh", directory, *argv]
