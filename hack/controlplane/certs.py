"""Keys and certificates of one control plane, made by openssl: EC keys on P-256.

Two authorities, as in a real cluster: `ca` signs the servers and the clients,
`front-proxy-ca` only the API server's calls to aggregated APIs. Every program
has a client certificate of its own, so that RBAC means something.
"""

from __future__ import annotations

import base64
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from .errors import ControlPlaneError

DAYS = "365"
SERVER_NAMES = ("DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
                "DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:10.0.0.1")

# file name -> subject: who the API server sees (CN is the user, O its group)
CLIENTS = {
    "admin": "/O=system:masters/CN=kubernetes-admin",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kwok": "/CN=system:kwok",
    "metrics-server": "/CN=system:metrics-server",
}


def _openssl(*arguments: str) -> None:
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        raise ControlPlaneError("openssl is missing; hack/deps installs it") from None
    if done.returncode:
        raise ControlPlaneError(f"openssl {' '.join(arguments)} failed:\n{done.stderr.strip()}")


def create(directory: str) -> None:
    """Writes everything into `directory`: NAME.crt and NAME.key, and sa.key, sa.pub."""
    os.makedirs(directory, mode=0o700, exist_ok=True)

    def path(name: str) -> str:
        return os.path.join(directory, name)

    def certificate(name: str, subject: str, *extensions: str, authority: str | None = None):
        signer = ["-CA", path(authority + ".crt"), "-CAkey", path(authority + ".key")] \
            if authority else []
        added = [argument for extension in extensions for argument in ("-addext", extension)]
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-sha256", "-days", DAYS, "-subj", subject, "-keyout", path(name + ".key"),
                 "-out", path(name + ".crt"), *signer, *added)

    def authority(name: str, subject: str):
        certificate(name, subject, "keyUsage=critical,keyCertSign,digitalSignature,cRLSign")

    def leaf(name: str, subject: str, use: str, signer: str = "ca", names: str | None = None):
        certificate(name, subject, "basicConstraints=critical,CA:FALSE",
                    "keyUsage=critical,digitalSignature", f"extendedKeyUsage={use}",
                    *([f"subjectAltName={names}"] if names else []), authority=signer)

    def account_keys():
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-out", path("sa.key"))
        _openssl("pkey", "-in", path("sa.key"), "-pubout", "-out", path("sa.pub"))

    with ThreadPoolExecutor(4) as pool:
        first = [pool.submit(authority, "ca", "/CN=ai4k8s-test-ca"),
                 pool.submit(authority, "front-proxy-ca", "/CN=ai4k8s-test-front-proxy-ca"),
                 pool.submit(account_keys)]
        for job in first:
            job.result()
        jobs = [pool.submit(leaf, "kube-apiserver", "/CN=kube-apiserver", "serverAuth",
                            names=SERVER_NAMES),
                pool.submit(leaf, "local-server", "/CN=localhost", "serverAuth",
                            names="DNS:localhost,IP:127.0.0.1"),
                pool.submit(leaf, "front-proxy-client", "/CN=front-proxy-client", "clientAuth",
                            signer="front-proxy-ca")]
        jobs += [pool.submit(leaf, name, subject, "clientAuth")
                 for name, subject in CLIENTS.items()]
        for job in jobs:
            job.result()


def kubeconfig(directory: str, client: str, server: str, cluster: str) -> str:
    """The text of a self-contained kubeconfig for one of CLIENTS."""
    def data(name: str) -> str:
        with open(os.path.join(directory, name), "rb") as file:
            return base64.b64encode(file.read()).decode()

    return f"""apiVersion: v1
kind: Config
clusters:
- name: {cluster}
  cluster:
    server: {server}
    certificate-authority-data: {data("ca.crt")}
users:
- name: {client}
  user:
    client-certificate-data: {data(client + ".crt")}
    client-key-data: {data(client + ".key")}
contexts:
- name: {cluster}
  context:
    cluster: {cluster}
    user: {client}
current-context: {cluster}
"""
