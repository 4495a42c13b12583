"""Where the workers serve their metrics, as Prometheus reads it (`http_sd_configs`)."""

from pydantic import RootModel

from schemas.wire.base import Wire


class MetricsTarget(Wire):
    """Addresses to ask for metrics, and the labels of what is found there."""

    targets: list[str]
    labels: dict[str, str]


class MetricsTargets(RootModel[list[MetricsTarget]]):
    """All of them, as an array."""
