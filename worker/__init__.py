"""arq workers: they split jobs, claim chunks, apply them and finish jobs.

`arq worker.WorkerSettings` runs one; `python -m worker` runs one that also outlives the loss of Redis.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    # arq looks WorkerSettings up here. Making it reads the settings, which a mere import must not need.
    if name == "WorkerSettings":
        from worker.arq_app import worker_settings

        return worker_settings()
    raise AttributeError(name)
