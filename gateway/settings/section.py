"""What every section of the settings has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Never changes once it is read, and knows no name but its own: a typing error is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
