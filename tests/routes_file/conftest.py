from tests.tls.conftest import authority

__all__ = ["authority"]
