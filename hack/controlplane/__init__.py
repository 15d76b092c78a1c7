"""Real Kubernetes control planes on this machine, for development and tests.

    from controlplane import ControlPlane

See docs/control-plane.md, and the methods of ControlPlane in plane.py.
"""

from .errors import AlreadyUp, ControlPlaneError
from .place import names
from .plane import ControlPlane
from .programs import Options

__all__ = ["AlreadyUp", "ControlPlane", "ControlPlaneError", "Options", "names"]
