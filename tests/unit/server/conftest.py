import pytest
from support import localserver


@pytest.fixture(params=localserver.VENDORS)
def each_vendor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a test once for each vendor that can be played; it makes its servers by `localserver.server`."""
    monkeypatch.setattr(localserver, "vendor", localserver.VENDORS[request.param])
