"""The settings of a backend."""

from pydantic import Field

from spliceproxy.settings.address import BACKEND_FORMS
from spliceproxy.settings.fields import BackendAddress
from spliceproxy.settings.model import Model


class BackendSettings(Model):
    """A place to forward to."""

    address: BackendAddress = Field(description=f"{BACKEND_FORMS}.")
