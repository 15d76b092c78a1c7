"""The programs of a control plane, built from Go modules once per user.

Each folder of hack/tools is a Go module that pins what one group of programs is
built from. The results live in the cache, under a name made of the module's
go.mod and go.sum and the build flags: another version is another folder, and a
folder holds only finished programs (each is built aside and renamed).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .errors import ControlPlaneError

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(os.path.dirname(HERE), "tools")


def _cache_folder() -> str:
    asked = subprocess.run([os.path.join(os.path.dirname(HERE), "deps"), "--path", "cache"],
                           stdout=subprocess.PIPE, text=True)
    if asked.returncode:
        raise SystemExit(asked.returncode)  # it has said why
    return asked.stdout.strip()


CACHE = _cache_folder()
UNUSED_DAYS = 14  # builds of other versions are removed after so many days without use


@dataclass(frozen=True)
class Module:
    name: str
    programs: dict[str, str]     # program -> Go package
    version_of: str              # the requirement whose version is the programs' version
    stamp: bool = False          # write that version into the programs
    share: tuple[str, ...] = ()  # files of that requirement that are needed at run time
    ours: bool = False           # the program's own sources lie beside its go.mod

    @property
    def source(self) -> str:
        return os.path.join(SOURCES, self.name)

    def read(self, file: str) -> str:
        with open(os.path.join(self.source, file), encoding="utf-8") as stream:
            return stream.read()

    @property
    def version(self) -> str:
        found = re.search(rf"\s{re.escape(self.version_of)} (v\S+)", self.read("go.mod"))
        if not found:
            raise ControlPlaneError(f"{self.source}/go.mod does not require {self.version_of}")
        return found[1]

    @property
    def flags(self) -> list[str]:
        link = "-s -w"
        if self.stamp:
            major, minor, _ = self.version.lstrip("v").split(".")
            for name, value in (("Version", self.version), ("Major", major), ("Minor", minor)):
                link += f" -X k8s.io/component-base/version.git{name}={value}"
        return ["-trimpath", "-buildvcs=false", "-ldflags", link]

    @property
    def folder(self) -> str:
        parts = [self.read("go.mod"), self.read("go.sum"), *self.flags, platform.machine()]
        if self.ours:
            parts += [self.read(file) for file in sorted(os.listdir(self.source))
                      if file.endswith(".go")]
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
        return os.path.join(CACHE, "tools", f"{self.name}-{digest}")

    def path(self, program: str) -> str:
        return os.path.join(self.folder, "bin", program)

    def is_complete(self, programs: list[str]) -> bool:
        return (all(os.path.exists(self.path(p)) for p in programs)
                and (not self.share or os.path.isdir(os.path.join(self.folder, "share"))))


MODULES = [
    Module("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}, "go.etcd.io/etcd/server/v3"),
    Module("kube",
           {name: f"k8s.io/kubernetes/cmd/{name}" for name in
            ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")},
           "k8s.io/kubernetes", stamp=True),
    Module("kwok", {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}, "sigs.k8s.io/kwok",
           share=("kustomize/stage/pod/general", "kustomize/stage/node/fast",
                  "kustomize/stage/node/heartbeat-with-lease", "kustomize/metrics",
                  "kustomize/crd/bases/kwok.x-k8s.io_resourceusages.yaml")),
    Module("metrics-server", {"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"},
           "sigs.k8s.io/metrics-server"),
]
PROGRAMS = [program for module in MODULES for program in module.programs]
# Not of a control plane: the controller that the decision core is held against.
ORACLE = Module("hpa-oracle", {"hpa-oracle": "."}, "k8s.io/kubernetes", ours=True)


def path(program: str) -> str:
    """Where the program is; ensure_built() puts it there."""
    supplied = _supplied()
    if program in supplied:
        return supplied[program]
    return _module_of(program).path(program)


def shared_file(module: str, name: str) -> str:
    """A file that came with a module's sources, by its path in them."""
    return os.path.join(next(m for m in MODULES if m.name == module).folder, "share", name)


def ensure_built(quiet: bool = False, modules: Sequence[Module] = ()) -> float:
    """Builds what is missing, of a control plane or of `modules`; returns the seconds it took.

    Callers wait for one another.
    """
    supplied = _supplied()
    plan = [(module, [p for p in module.programs if p not in supplied])
            for module in modules or MODULES]
    missing = [(module, programs) for module, programs in plan
               if not module.is_complete(programs)]
    if not missing:
        for module, _ in plan:
            if os.path.isdir(module.folder):
                os.utime(module.folder)
        return 0.0
    started = time.monotonic()
    with _lock(quiet):
        go = go_command()
        if not modules:
            _say(quiet, "Building the programs of the control plane, once: about 10 minutes on "
                        "2 cores,\nabout 6 GB for Go's own caches and 0.5 GB for the programs.")
        for module, programs in plan:
            os.makedirs(os.path.join(module.folder, "bin"), exist_ok=True)
            for name in os.listdir(os.path.join(module.folder, "bin")):
                if ".partial-" in name:
                    os.unlink(os.path.join(module.folder, "bin", name))
            for program in programs:
                if not os.path.exists(module.path(program)):
                    try:
                        _build(go, module, program, quiet)
                    except ControlPlaneError as error:  # a network that hiccups, memory for one
                        _say(quiet, f"{error}\nTrying once more, one package at a time.")
                        _build(go, module, program, quiet, "-p=1")
            if module.share and not os.path.isdir(os.path.join(module.folder, "share")):
                _copy_share(go, module)
        _prune()
    took = time.monotonic() - started
    _say(quiet, f"Built in {_clock(took)}: {os.path.join(CACHE, 'tools')}")
    return took


def go_command() -> str:
    """A Go toolchain that is new enough for all modules: installed, or from the cache."""
    wanted = max(_version(line) for module in [*MODULES, ORACLE]
                 for line in re.findall(r"^go (\S+)", module.read("go.mod"), re.M))
    candidates = [shutil.which("go")]
    if os.path.isdir(CACHE):
        candidates += [os.path.join(CACHE, name, "bin", "go")
                       for name in sorted(os.listdir(CACHE)) if name.startswith("go-")]
    for go in candidates:
        if go and os.access(go, os.X_OK):
            shown = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True,
                                   cwd="/", env=_go_environment())
            if shown.returncode == 0 and _version(shown.stdout.strip()[2:]) >= wanted:
                return go
    raise ControlPlaneError(f"no Go {'.'.join(map(str, wanted))} or newer is here; "
                            "run hack/deps (or make deps), which brings one")


# -- the parts --------------------------------------------------------------

def _module_of(program: str) -> Module:
    for module in [*MODULES, ORACLE]:
        if program in module.programs:
            return module
    raise ControlPlaneError(f"no program {program!r}; there are: {', '.join(PROGRAMS)}")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text.split("-")[0])[:3])


_supplied_cache: dict[str, dict[str, str]] = {}


def _supplied() -> dict[str, str]:
    """kube-apiserver and etcd out of $KUBEBUILDER_ASSETS, if they are of the right version.

    The controller manager and the scheduler are built to one Kubernetes version and
    may not be newer than the API server.
    """
    folder = os.environ.get("KUBEBUILDER_ASSETS", "")
    if folder not in _supplied_cache:
        _supplied_cache[folder] = {}
        files = {name: os.path.join(folder, name) for name in ("kube-apiserver", "etcd")}
        if folder and all(os.access(file, os.X_OK) for file in files.values()):
            shown = subprocess.run([files["kube-apiserver"], "--version"],
                                   capture_output=True, text=True).stdout
            ours = _version(_module_of("kube-apiserver").version)
            if _version(shown)[:2] == ours[:2]:
                _supplied_cache[folder] = files
            else:
                print(f"KUBEBUILDER_ASSETS holds {shown.strip() or 'no working kube-apiserver'}; "
                      f"Kubernetes {ours[0]}.{ours[1]} is needed, so it is not used.",
                      file=sys.stderr)
    return _supplied_cache[folder]


def _go_environment() -> dict[str, str]:
    variables = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "",
                 "GOWORK": "off"}
    if not os.access(os.environ.get("HOME") or "/nowhere", os.W_OK):
        variables.setdefault("GOPATH", os.path.join(CACHE, "go"))
        variables.setdefault("GOCACHE", os.path.join(CACHE, "go-build"))
    return variables


def _build(go: str, module: Module, program: str, quiet: bool, *flags: str) -> None:
    target = module.path(program)
    partial = f"{target}.partial-{os.getpid()}"
    started = time.monotonic()
    build = subprocess.Popen(["nice", go, "build", "-v", *flags, *module.flags, "-o", partial,
                              module.programs[program]],
                             cwd=module.source, env=_go_environment(), text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True)
    pipe = build.stdout
    assert pipe
    output: list[str] = []
    reader = threading.Thread(target=lambda: output.extend(iter(pipe.readline, "")), daemon=True)
    reader.start()
    try:
        _follow(build, program, output, started, quiet)
        reader.join()
        if build.returncode:
            # a line without a space only names a package
            tail = "".join([line for line in output if " " in line.strip()][-30:])
            raise ControlPlaneError(
                f"building {program} failed:\n{tail}\nThe sources come from the Go module proxy "
                "($GOPROXY); a build takes up to 2 GB of memory\nand 7 GB of disk. What is built "
                "already is kept: run the same command again.")
        os.rename(partial, target)
    except BaseException:
        try:
            os.killpg(build.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        build.wait()
        if os.path.exists(partial):
            os.unlink(partial)
        raise
    size = os.path.getsize(target) / 1e6
    _say(quiet, f"  {program:<24} built in {_clock(time.monotonic() - started)}, {size:.0f} MB")


def _follow(build: subprocess.Popen, program: str, output: list[str], started: float,
            quiet: bool) -> None:
    """Shows that something happens: a living line on a terminal, one per 15 s elsewhere."""
    terminal = sys.stderr.isatty()
    next_line = started + 15
    while build.poll() is None:
        time.sleep(0.2)
        now = time.monotonic()
        if quiet or (not terminal and now < next_line):
            continue
        next_line = now + 15
        downloaded = sum(line.startswith("go: downloading") for line in output)
        compiled = len(output) - downloaded
        what = f"{compiled} packages compiled" if compiled else f"{downloaded} modules fetched"
        line = f"  {program:<24} {_clock(now - started)}  {what}"
        sys.stderr.write(f"\r{line}\x1b[K" if terminal else line + "\n")
        sys.stderr.flush()
    if terminal and not quiet:
        sys.stderr.write("\r\x1b[K")


def _copy_share(go: str, module: Module) -> None:
    shown = subprocess.run([go, "list", "-m", "-f", "{{.Dir}}", module.version_of],
                           cwd=module.source, env=_go_environment(), capture_output=True,
                           text=True)
    if shown.returncode or not shown.stdout.strip():
        raise ControlPlaneError(f"the sources of {module.version_of} are not to be had:\n"
                                + shown.stderr)
    partial = os.path.join(module.folder, f"share.partial-{os.getpid()}")
    for name in module.share:
        source, target = (os.path.join(base, name) for base in (shown.stdout.strip(), partial))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.isdir(source):
            shutil.copytree(source, target, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, target)
    for folder, _, _ in os.walk(partial):
        os.chmod(folder, 0o755)  # the module cache is read-only, and copytree keeps that
    os.rename(partial, os.path.join(module.folder, "share"))


def _prune() -> None:
    """Removes builds of other versions that nobody has used for a while."""
    base = os.path.join(CACHE, "tools")
    current = {module.folder for module in [*MODULES, ORACLE]}
    for name in os.listdir(base):
        folder = os.path.join(base, name)
        if folder not in current and os.path.isdir(folder) \
                and time.time() - os.path.getmtime(folder) > UNUSED_DAYS * 86400:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _lock(quiet: bool) -> Iterator[None]:
    base = os.path.join(CACHE, "tools")
    os.makedirs(base, exist_ok=True)
    with open(os.path.join(base, "lock"), "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(quiet, "Another process is building these programs; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(quiet: bool, text: str) -> None:
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
