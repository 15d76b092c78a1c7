"""The command line of each program of a control plane."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field

from . import tools

CORE = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]
# Of kube-controller-manager: those that the objects of tests meet. All forty cost a test machine as much again while
# they wait for jobs, volumes and certificates that nobody makes.
CONTROLLERS = [f"{name}-controller" for name in (
    "clusterrole-aggregation", "deployment", "garbage-collector", "horizontal-pod-autoscaler",
    "namespace", "node-lifecycle", "pod-garbage-collector", "replicaset",
    "root-ca-certificate-publisher", "serviceaccount", "serviceaccount-token", "statefulset")]
# Collected less often, kube-apiserver takes a quarter less CPU to start, and 0.12 GB more memory.
ENVIRONMENT = {"GOGC": "400"}
HEALTH = "/healthz,/readyz,/livez,/metrics"


@dataclass
class Options:
    """What `up` can be asked for."""

    nodes: int = 3
    node_cpu: str = "32"
    node_memory: str = "256Gi"
    node_pods: str = "250"
    kwok: bool = True
    metrics_server: bool = True
    durable_etcd: bool = False
    pod_start_delay: float = 1.0             # seconds from the binding to Ready
    metric_resolution: str = "10s"           # metrics-server takes nothing shorter
    hpa_sync_period: str = "15s"
    hpa_downscale_stabilization: str = "5m"
    audit_level: str = "Metadata"
    apiserver_args: list[str] = field(default_factory=list)
    kcm_args: list[str] = field(default_factory=list)
    timeout: float = 120.0                   # seconds until `up` gives up

    def programs(self) -> list[str]:
        return CORE + ["kwok"] * self.kwok + ["metrics-server"] * self.metrics_server

    def as_dict(self) -> dict:
        return asdict(self)


def command(program: str, directory: str, ports: dict[str, int], options: Options) -> list[str]:
    """The argument vector; files are found by their place in the control plane's directory."""
    def pki(name: str) -> str:
        return os.path.join(directory, "pki", name)

    def file(name: str) -> str:
        return os.path.join(directory, name)

    own_kubeconfig = file(f"{program}.kubeconfig")
    server_tls = [f"--tls-cert-file={pki('local-server.crt')}",
                  f"--tls-private-key-file={pki('local-server.key')}"]
    etcd_url = f"http://127.0.0.1:{ports['etcd']}"
    if program == "etcd":
        arguments = [f"--data-dir={file('etcd')}", f"--listen-client-urls={etcd_url}",
                     f"--advertise-client-urls={etcd_url}",
                     "--listen-peer-urls=http://127.0.0.1:0", "--log-level=warn",
                     "--quota-backend-bytes=8589934592"]
        if not options.durable_etcd:
            arguments.append("--unsafe-no-fsync")
    elif program == "kube-apiserver":
        arguments = [
            f"--etcd-servers={etcd_url}", f"--secure-port={ports[program]}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24",
            "--allow-privileged=true", "--authorization-mode=Node,RBAC",
            f"--tls-cert-file={pki('kube-apiserver.crt')}",
            f"--tls-private-key-file={pki('kube-apiserver.key')}",
            f"--client-ca-file={pki('ca.crt')}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki('sa.pub')}",
            f"--service-account-signing-key-file={pki('sa.key')}",
            f"--proxy-client-cert-file={pki('front-proxy-client.crt')}",
            f"--proxy-client-key-file={pki('front-proxy-client.key')}",
            f"--requestheader-client-ca-file={pki('front-proxy-ca.crt')}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--audit-policy-file={file('audit-policy.json')}",
            f"--audit-log-path={file('audit.log')}", "--audit-log-mode=blocking",
            "--audit-log-maxsize=0",
            *options.apiserver_args]
    elif program == "kube-controller-manager":
        arguments = [
            f"--kubeconfig={own_kubeconfig}", "--bind-address=127.0.0.1",
            f"--secure-port={ports[program]}", *server_tls,
            f"--authentication-kubeconfig={own_kubeconfig}",
            f"--authorization-kubeconfig={own_kubeconfig}",
            f"--authorization-always-allow-paths={HEALTH}",
            f"--service-account-private-key-file={pki('sa.key')}",
            f"--root-ca-file={pki('ca.crt')}", "--use-service-account-credentials=true",
            f"--controllers={','.join(CONTROLLERS)}",
            "--leader-elect=false", "--kube-api-qps=1000", "--kube-api-burst=2000",
            "--node-monitor-grace-period=1h",
            f"--horizontal-pod-autoscaler-sync-period={options.hpa_sync_period}",
            "--horizontal-pod-autoscaler-downscale-stabilization="
            + options.hpa_downscale_stabilization,
            *options.kcm_args]
    elif program == "kube-scheduler":
        arguments = [
            f"--kubeconfig={own_kubeconfig}", "--bind-address=127.0.0.1",
            f"--secure-port={ports[program]}", *server_tls,
            f"--authentication-kubeconfig={own_kubeconfig}",
            f"--authorization-kubeconfig={own_kubeconfig}",
            f"--authorization-always-allow-paths={HEALTH}", "--leader-elect=false",
            "--kube-api-qps=1000", "--kube-api-burst=2000"]
    elif program == "kwok":
        arguments = [
            f"--kubeconfig={own_kubeconfig}", f"--config={file('kwok.yaml')}",
            "--manage-all-nodes=false",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            *server_tls, "--node-ip=127.0.0.1", "--node-name=localhost",
            f"--node-port={ports[program]}", f"--server-address=127.0.0.1:{ports[program]}",
            "--node-lease-duration-seconds=40", "--enable-crds=ResourceUsage"]
    elif program == "metrics-server":
        arguments = [
            "--bind-address=127.0.0.1", f"--secure-port={ports[program]}",
            f"--kubeconfig={own_kubeconfig}", f"--authentication-kubeconfig={own_kubeconfig}",
            f"--authorization-kubeconfig={own_kubeconfig}", *server_tls,
            "--kubelet-preferred-address-types=Hostname,InternalIP,ExternalIP",
            "--kubelet-use-node-status-port", "--kubelet-insecure-tls",
            f"--metric-resolution={options.metric_resolution}",
            "--kubelet-request-timeout=5s"]  # it has to be less than the resolution
    else:
        raise ValueError(program)
    return [tools.path(program), *arguments]


def audit_policy(level: str) -> str:
    """Who is worth a line: service accounts outside kube-system, and people.

    The control plane's own programs, the nodes' leases and the traffic driver's writes
    would bury them.
    """
    rules = [
        {"level": "None", "users": ["system:apiserver", "system:kube-controller-manager",
                                    "system:kube-scheduler", "system:kwok",
                                    "system:metrics-server", "system:anonymous"]},
        {"level": "None", "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"]},
        {"level": "None", "resources": [{"group": "kwok.x-k8s.io"}]},
        {"level": level},
    ]
    return json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
                       "omitStages": ["RequestReceived"], "rules": rules}, indent=1)
