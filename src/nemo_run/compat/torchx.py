"""The few names that programs take from the reference's TorchX layer, without TorchX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config.files.serializers import ZlibJSONSerializer
from nemo_run.exceptions import PlanError
from nemo_run.execution.local.executor import LocalExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

    from nemo_run.execution.executor import Executor

# Programs add their own classes to these two.
EXECUTOR_MAPPING: dict[type[Executor], str] = {LocalExecutor: "local_persistent"}
REVERSE_EXECUTOR_MAPPING: dict[str, type[Executor]] = {"local_persistent": LocalExecutor}


def get_executor_str(executor: Executor) -> str:
    """Return the reference's scheduler name for ``executor``; a subclass has its base's.

    Raises:
        PlanError: No class of the executor is in :data:`EXECUTOR_MAPPING`.
    """
    for kind in type(executor).__mro__:
        if kind in EXECUTOR_MAPPING:
            return EXECUTOR_MAPPING[kind]
    raise PlanError(
        f"{type(executor).__qualname__} has no scheduler name. "
        "Add its class to EXECUTOR_MAPPING to give it one."
    )


def _serialize(cfg: Any, serializer_cls: Callable[[], Any] = ZlibJSONSerializer) -> str:
    text: str = serializer_cls().serialize(cfg)
    return text
