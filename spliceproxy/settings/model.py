"""What all parts of the settings have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """A part of the settings: strict, complete, and never changed."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


def key(name: str, description: str, **attributes: Any) -> Any:
    """Return a field whose key in a file is another name than in a program."""
    return Field(
        validation_alias=name, serialization_alias=name, description=description, **attributes
    )
