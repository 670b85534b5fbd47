"""The settings of whom the proxy's processes run as, and what is left to them."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from spliceproxy.settings import help_texts
from spliceproxy.settings.fields import choice
from spliceproxy.settings.listen import Account
from spliceproxy.settings.model import Model

SandboxMode = Literal["auto", "off"]


class PrivilegeSettings(Model):
    """Whom workers and the admin process run as."""

    user: Account = Field(default=None, description=help_texts.USER)
    group: Account = Field(default=None, description=help_texts.GROUP)
    sandbox: Annotated[SandboxMode, *choice("auto", "off")] = Field(
        default="auto", description=help_texts.SANDBOX
    )

    @field_validator("group")
    @classmethod
    def _only_with_user(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("user", value) is None:
            raise ValueError("has no effect without `user`: expected both, or `user` alone")
        return value
