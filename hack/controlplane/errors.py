"""The one error of this package: a message for a person, with what to do next."""


class ControlPlaneError(Exception):
    """Something that the caller can read and act upon; no traceback is needed."""


class AlreadyUp(ControlPlaneError):
    """There is a control plane of that name, up or being started."""
