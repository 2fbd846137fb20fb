"""The exceptions of topoml; every message is one line that names the argument and the cure."""

__all__ = ["InputError", "NotConvergedError", "TopomlError"]


class TopomlError(Exception):
    """Root of all errors that topoml raises on purpose."""


class InputError(TopomlError, ValueError):
    """A mistake of the caller: ``` `name` is X; expected Y. Cure. ```"""


class NotConvergedError(TopomlError):
    """A number that cannot be trusted; it is carried along as ``estimate``."""

    def __init__(self, message: str, estimate: object = None) -> None:
        super().__init__(message)
        self.estimate = estimate
