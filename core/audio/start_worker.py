"""The program of a process that decodes; its arguments are the folder of this package and a descriptor."""

import sys
from types import ModuleType


class _Anything:
    """What soundfile names of numpy when it is imported, all in annotations."""

    def __class_getitem__(cls, _: object) -> type["_Anything"]:
        return cls


def _leave_out_numpy() -> None:
    """Importing numpy takes three quarters of the start, and reading into a buffer does without it."""
    numpy = ModuleType("numpy")
    numpy.__getattr__ = lambda _: _Anything  # type: ignore[method-assign]
    sys.modules["numpy"] = numpy
    try:
        import soundfile  # noqa: F401
    except (ImportError, TypeError, AttributeError):  # another version, which needs more of it
        sys.modules.pop("soundfile", None)
        del sys.modules["numpy"]


if __name__ == "__main__":
    _leave_out_numpy()
    sys.path.insert(0, sys.argv[1])
    from core.audio.worker import serve

    serve(int(sys.argv[2]))
