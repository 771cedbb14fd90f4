"""What the user's code may call inside a job; standard library alone, Python 3.8 and up.

The package offers :func:`log_metrics` from here. A copy of this file travels with every Python
task as ``stand_in/nemo_run.py``, in a folder at the end of ``sys.path``: there it is what
``import nemo_run`` finds where that is not installed. Decorators of the real one then change
nothing, and its classes can be named, in annotations and as bases, and not be made.
"""

from __future__ import annotations

import os
import sys
from time import time

TYPE_CHECKING = False  # importing typing costs more than all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

FILE_VARIABLE = "NEMORUN_METRICS_FILE"

# --- Metrics ----------------------------------------------------------------------------------


def log_metrics(
    metrics: Mapping[str, Any] | None = None,
    /,
    *,
    step: float | None = None,
    all_ranks: bool = False,
    **more: Any,
) -> None:
    """Keep some numbers of this moment, as one line of the job's ``metrics.jsonl``.

    It never ends a training: what cannot be kept is said once on standard error and left out.
    Outside of a job nothing is kept.

    Args:
        metrics: Numbers by name, for names that are no keywords: ``{"train/loss": 0.3}``.
        step: Where in the run; of several values for one step the last one counts.
        all_ranks: Whether processes other than rank 0 keep theirs, each in a file of its own.
        more: Numbers by name: float, int, bool, or what has ``.item()``, as tensors do.
    """
    global _sink  # noqa: PLW0603 - one open file for the process
    path = os.environ.get(FILE_VARIABLE)
    if not path:
        _say_once("log_metrics keeps nothing here: this is no process of a job.")
        return
    sink = _sink
    if sink is None or sink.path != path or sink.process != os.getpid():
        sink = _sink = _Sink(path)
    if sink.rank and not all_ranks:
        return
    if metrics is not None and not hasattr(metrics, "items"):
        kind = type(metrics).__name__
        _say_once(f"log_metrics leaves out a {kind}: numbers need names, as in loss=0.5.")
        metrics = None
    line = ""
    for given in (metrics, more) if metrics else (more,):
        for name, value in given.items():
            line += _named(name, value)
    if line:
        where = "" if step is None else _part("step", step)
        sink.write(f'{{{where[1:]}{"," if where else ""}"time":{time():.3f}{line}}}\n')


_OWN = ("step", "time")


def _named(name: str, value: Any) -> str:
    if name in _OWN:
        _say_once(f"log_metrics leaves out {name!r}, the name of a column of its own.")
        return ""
    return _part(name, value)


def _part(name: str, value: Any) -> str:
    """Return ``,"name":value``; nothing for what is no number."""
    kind = type(value)
    if kind is not float and kind is not int and kind is not bool:
        value = _plain(name, value)
        kind = type(value)
    if kind is float:
        # JSON has no NaN and no infinity.
        text = repr(value) if value - value == 0.0 else _SPECIAL[repr(value)]
    elif kind is int:
        text = repr(value) if -_WIDE < value < _WIDE else '"Infinity"'
    elif kind is bool:
        text = "true" if value else "false"
    else:
        return ""
    key = _keys.get(name)
    return (key or _key(name)) + text


_WIDE = 1 << 1023  # a float holds no more
_SPECIAL = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}
_keys: dict[str, str] = {}
_MOST_KEYS = 10_000


def _key(name: Any) -> str:
    from json import dumps

    if len(_keys) >= _MOST_KEYS:
        _keys.clear()
    _keys[name] = f",{dumps(str(name))}:"
    return _keys[name]


def _plain(name: str, value: Any) -> Any:
    """Return the number that a scalar of NumPy, PyTorch and their like holds; None for none."""
    try:
        found = value.item() if hasattr(value, "item") else value.__float__()
    except Exception:  # noqa: BLE001 - the value's own code may raise anything
        found = None
    if type(found) in (float, int, bool):
        return found
    _say_once(f"log_metrics leaves out {name!r}: a {type(value).__name__} is no number.")
    return None


class _Sink:
    """The file that this process appends to.

    Attributes:
        path: What the job says.
        process: Who opened it; a forked process opens its own.
        rank: The number of this process in its job.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.process = os.getpid()
        self.rank = _rank()
        self._file = f"{path[: -len('.jsonl')]}.rank-{self.rank}.jsonl" if self.rank else path
        self._descriptor: int | None = None
        self._broken = False

    def write(self, line: str) -> None:
        """Append a line in one call, so that lines of several processes never mix."""
        # A name may hold half a character; what is odd in it is replaced.
        data = line.encode("utf-8", "replace")
        try:
            self._append(data)
        except OSError as error:
            if self._descriptor is not None:
                _close(self._descriptor)
                self._descriptor = None
            why = error.strerror or error
            _say_once(f"Metrics cannot be kept in {self._file}: {why}. The job goes on.")

    def _append(self, data: bytes) -> None:
        if self._descriptor is None:
            self._descriptor = self._open()
        if self._broken:
            data = b"\n" + data
        self._broken = os.write(self._descriptor, data) < len(data)

    def _open(self) -> int:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        size = os.fstat(descriptor).st_size
        # What an attempt before this one was writing when it was killed stays a line of its own.
        self._broken = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        return descriptor


_sink: _Sink | None = None


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        return  # somebody else has closed it


def _rank() -> int:
    for name in ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK"):
        text = os.environ.get(name, "")
        if text.isdigit():
            # What a task starts as a further rank of its own has inherited RANK=0.
            return int(text) or _local_rank()
    return _local_rank()


def _local_rank() -> int:
    text = os.environ.get("LOCAL_RANK", "")
    return int(text) if text.isdigit() else 0


_said: set[str] = set()


def _say_once(text: str) -> None:
    if text in _said or len(_said) > 100:
        return
    _said.add(text)
    try:
        sys.stderr.write(f"nemo_run: {text}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # there is nobody to tell


# --- In place of nemo_run ---------------------------------------------------------------------

# What user code names at the top of modules, and what is of no use inside a job.
CLASSES = frozenset(
    {
        "Config",
        "ConfigurableMixin",
        "Partial",
        "Script",
        "Secret",
        "Sweep",
        "Plugin",
        "Hook",
        "Experiment",
    }
    | {"Executor", "ExecutorMacros", "FaultTolerance", "LocalExecutor", "Resume", "SlurmExecutor"}
    | {"SlurmTemplate", "Torchrun", "GitArchivePackager", "HybridPackager", "Packager"}
    | {"PatternPackager", "LocalTunnel", "SSHTunnel", "JobFailedError", "NemoRunError"}
    | {"LazyEntrypoint", "LazyModule", "LazyTarget"}
)
FUNCTIONS = frozenset(
    {"run", "dryrun_fn", "executor_profile", "help", "import_executor", "lazy_imports", "sweep"}
)
_ABSENT = "nemo_run is not installed here; inside a job only log_metrics is there"


def unchanged(*given: Any, **_settings: Any) -> Any:
    """Decorate a function in no way, whether with settings or without."""
    if given and callable(given[0]):
        return given[0]
    return lambda function: function


def _class(name: str) -> type:
    def refuse(self: Any, *_given: Any, **_named: Any) -> None:
        raise RuntimeError(f"{_ABSENT}, so no {type(self).__name__} can be made.")

    if name in ("JobFailedError", "NemoRunError"):
        return type(name, (Exception,), {})
    own = {"__init__": refuse, "__class_getitem__": classmethod(lambda cls, _of: cls)}
    return type(name, (), own)


def _function(name: str) -> Callable[..., Any]:
    def refuse(*_given: Any, **_named: Any) -> None:
        raise RuntimeError(f"{_ABSENT}, so {name}() cannot be called.")

    return refuse


def _lazy_imports(*_given: Any, **_named: Any) -> Any:
    from contextlib import nullcontext

    return nullcontext()


def _of_real(name: str) -> Any:
    """Return what stands for a name of the real nemo_run."""
    if name == "lazy_imports":
        return _lazy_imports
    if name == "autoconvert":
        return unchanged
    if name in CLASSES:
        return _class(name)
    if name in FUNCTIONS:
        return _function(name)
    raise AttributeError(f"{_ABSENT}, not {name!r}.")


def _is_stand_in(name: str) -> bool:
    return name == "nemo_run"


def _real_one() -> Any:
    """Return where the real nemo_run is, for who finds modules in a way of his own; None: nowhere.

    This file was found because no folder before it on ``sys.path`` has one. Some editable
    installations are found by no folder.
    """
    others = [f for f in sys.meta_path if getattr(f, "__name__", "") != "PathFinder"]
    for finder in others:
        find = getattr(finder, "find_spec", None)
        spec = find("nemo_run", None) if find is not None else None
        if spec is not None and spec.loader is not None:
            return spec
    return None


def _stand_in(module: Any) -> None:
    """Be nemo_run, or give way to the real one."""
    spec = _real_one()
    if spec is not None:
        from importlib.util import module_from_spec

        real = sys.modules["nemo_run"] = module_from_spec(spec)
        spec.loader.exec_module(real)
        return
    cli = type(sys)("nemo_run.cli")
    vars(cli).update(entrypoint=unchanged, factory=unchanged, main=_function("cli.main"))
    cli.__dict__["__getattr__"] = _of_real
    sys.modules["nemo_run.cli"] = module.cli = cli

    def found(name: str) -> Any:
        # The same each time: it may be a base of one class and an annotation elsewhere.
        value = _of_real(name)
        setattr(module, name, value)
        return value

    module.__getattr__ = found


if _is_stand_in(__name__):
    _stand_in(sys.modules[__name__])
