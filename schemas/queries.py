"""The query of a request, as a model: what every such model has in common."""

from pydantic import BaseModel, ConfigDict


class Query(BaseModel):
    """The parameters of a request; any other is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoQuery(Query):
    """There are no parameters."""
