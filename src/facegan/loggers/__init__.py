"""Where a run's curves and sample grids go besides its own folder: one file for each tracker.

`LOGGERS` is the list. A class of your own is used by passing an object of it to
`facegan.train(…, loggers=[…])`, or by its name once a plug-in has registered it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from facegan.errors import RunError, nearest
from facegan.loggers.aim import Aim
from facegan.loggers.base import Logger
from facegan.loggers.base import TrackedRun as TrackedRun
from facegan.loggers.mlflow import MLflow
from facegan.loggers.tensorboard import TensorBoard
from facegan.loggers.wandb import WeightsAndBiases
from facegan.registry import Registry

LOGGERS: Registry[type[Logger]] = Registry(
    "logger", {each.name: each for each in (TensorBoard, WeightsAndBiases, MLflow, Aim)}
)


def choose(wanted: Iterable[str | Logger] | None) -> list[Logger]:
    """Loggers, ready to be opened.

    Args:
        wanted: names of `LOGGERS`, or loggers; None for TensorBoard where it is installed.

    Raises:
        RunError: for a name that is not known, or whose package is not installed.
    """
    if wanted is None:
        return [TensorBoard()] if _installed(TensorBoard) else []
    if isinstance(wanted, str):
        wanted = [wanted]
    found: dict[str, Logger] = {}
    for each in wanted:
        logger = each if isinstance(each, Logger) else _named(each)
        if logger.name in found:
            raise RunError(f"There are two loggers called {logger.name}.", "Give each one once.")
        found[logger.name] = logger
    return list(found.values())


def _named(name: str) -> Logger:
    if name not in LOGGERS:
        raise RunError(f"There is no logger {name!r}.", nearest(name, LOGGERS))
    kind = LOGGERS[name]
    if not _installed(kind):
        raise RunError(
            f"The logger {name} needs the package {kind.package}, which is not installed.",
            f"Install it (pip install 'facegan[{name}]'), or choose another logger, or none.",
        )
    return kind()


def _installed(kind: type[Logger]) -> bool:
    """Whether its package is there; a folder of that name, as some trackers make, is none."""
    if kind.package is None:
        return True
    spec = importlib.util.find_spec(kind.package)
    return spec is not None and spec.origin is not None
