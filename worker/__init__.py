"""arq workers: they split jobs, claim and apply chunks, and finish jobs.

`arq worker.WorkerSettings` runs a worker; `python -m worker` runs one that restarts after Redis was lost.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    # arq looks up WorkerSettings here. It reads the settings, which an import of this package must not need.
    if name == "WorkerSettings":
        from worker.bells.arq_app import worker_settings

        return worker_settings()
    raise AttributeError(name)
