"""MLflow: one run there for each run here, in the store that MLFLOW_TRACKING_URI names."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, ClassVar

from facegan.loggers.base import Logger, TrackedRun

if TYPE_CHECKING:
    import numpy as np

# MLflow's own limits on what one call may hold.
_PARAMETERS_A_CALL, _LONGEST_VALUE = 100, 500
# A server that is gone is given up after seconds, and not after MLflow's many minutes.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


class MLflow(Logger):
    """In the experiment MLFLOW_EXPERIMENT_NAME, or `facegan`.

    Curves are metrics whose step is images seen, the recipe's values are parameters, and the
    recipe and the sample grids are artifacts.
    """

    name: ClassVar[str] = "mlflow"
    package: ClassVar[str | None] = "mlflow"
    _client: Any
    _id: str

    def open(self, run: TrackedRun, identity: str | None) -> str | None:
        """Begin a run, or take it up by its id."""
        for variable, value in _PATIENCE.items():
            os.environ.setdefault(variable, value)
        from mlflow import MlflowClient
        from mlflow.entities import Param

        from facegan.recipe import leaves

        self._client = MlflowClient()
        if identity is None:
            self._id = self._client.create_run(self._experiment(), run_name=run.name).info.run_id
            recipe = {k: v for k, v in run.config.items() if k != "provenance"}
            parameters = [Param(key, str(v)[:_LONGEST_VALUE]) for key, v in leaves(recipe)]
            for first in range(0, len(parameters), _PARAMETERS_A_CALL):
                part = parameters[first : first + _PARAMETERS_A_CALL]
                self._client.log_batch(self._id, params=part)
        else:
            self._id = identity
            self._client.update_run(self._id, status="RUNNING")
        self._client.log_text(self._id, run.recipe, "recipe.toml")
        self._client.log_dict(self._id, run.config, "config.json")
        return self._id

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "facegan"
        found = self._client.get_experiment_by_name(name)
        return found.experiment_id if found else self._client.create_experiment(name)

    def scalars(self, images_seen: int, values: dict[str, float]) -> None:
        """See `Logger.scalars`."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        points = [Metric(name, value, now, images_seen) for name, value in values.items()]
        self._client.log_batch(self._id, metrics=points)

    def samples(self, images_seen: int, grid: np.ndarray) -> None:
        """See `Logger.samples`."""
        place = f"samples/{images_seen / 1000:010.3f}k.png"
        self._client.log_image(self._id, grid, artifact_file=place)

    def close(self, finished: bool) -> None:
        """See `Logger.close`."""
        self._client.set_terminated(self._id, "FINISHED" if finished else "KILLED")
