"""Gradio lets every site read a page that is served under a name, with the visitor's cookies.

Gradio (4.44.1 to 6.31) answers any Origin with Access-Control-Allow-Credentials unless the Host is a loopback name;
only a page that is mounted into another app can say otherwise. Here the app leaves that middleware out.
"""

from __future__ import annotations

from typing import Any

from starlette.middleware import Middleware


def make_app_without_cors(stack: list[Middleware]) -> Any:
    """Make Gradio's app behind the stack, without the middleware that opens it to other sites."""
    from gradio.route_utils import CustomCORSMiddleware
    from gradio.routes import App, ORJSONResponse

    class GatedApp(App):
        def add_middleware(self, middleware_class: Any, *args: Any, **options: Any) -> None:
            if middleware_class is not CustomCORSMiddleware:
                super().add_middleware(middleware_class, *args, **options)

    return GatedApp(
        docs_url=None, redoc_url=None, openapi_url=None, default_response_class=ORJSONResponse, middleware=stack
    )
