"""What we wrap of azure.functions' web apps takes what it takes without us."""

from __future__ import annotations

import asyncio

import pytest
from azure.functions._http_asgi import AsgiResponse
from azure.functions._http_wsgi import WsgiResponse

from funcscope.contrib.web._apps import watch_apps


def test_wrong_arguments_are_the_originals_to_refuse() -> None:
    """A call that the original would refuse is refused by it, and not by us."""
    watch_apps()
    with pytest.raises(TypeError, match="from_app"):
        WsgiResponse.from_app()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="from_app"):
        asyncio.run(AsgiResponse.from_app())  # type: ignore[call-arg]


def test_arguments_by_name() -> None:
    """An app and its request may be handed over by name."""
    watch_apps()

    def app(environ: dict[str, str], start_response: object) -> list[bytes]:
        start_response("200 OK", [])  # type: ignore[operator]
        return [environ["said"].encode()]

    response = WsgiResponse.from_app(app=app, environ={"said": "x"})

    assert response.to_func_response().get_body() == b"x"
