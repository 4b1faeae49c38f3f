"""Candy Haven under Flask. Run it with ``gunicorn examples.candy_haven.fronts.flask:app``."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

import cxkit
from cxkit_flask import CXFlask
from examples.candy_haven.shop import MAX_BYTES, ROUTES, Answer, Asked, Route, answer, refused


def view(route: Route) -> Callable[..., Response]:
    def act(**path: str) -> Response:
        form = request.get_data() if request.method == "POST" else b""
        return response(answer(route, asked_of(path, form)))

    return act


def asked_of(path: dict[str, str], form: bytes = b"") -> Asked:
    query = parse_qsl(request.query_string.decode("latin-1"), keep_blank_values=True)
    return Asked(
        path=path,
        fields=query if request.method != "POST" else parse_qsl(form.decode("utf-8", "replace")),
        cookies=request.cookies.to_dict(),
    )


def response(answered: Answer) -> Response:
    made = Response(answered.html, answered.status, headers=dict(answered.headers))
    if answered.location is not None:
        made = Response(status=answered.status, headers={"Location": answered.location})
    for name, value in answered.cookies.items():
        made.set_cookie(name, value, httponly=True, samesite="Lax")  # on https: secure=True as well
    return made


def refuse(error: HTTPException) -> Response:
    page = response(refused(asked_of({}), error.code or 500))
    page.headers.extend((name, value) for name, value in error.get_headers() if name not in page.headers)
    return page


def make(kit: cxkit.Kit | None = None) -> Flask:
    """The shop.

    Args:
        kit: Where there are several in one process; else the one that is configured.
    """
    made = Flask("candy_haven", static_folder=None)
    made.config["MAX_CONTENT_LENGTH"] = MAX_BYTES
    for one in ROUTES:
        rule = one.path.replace("{", "<").replace("}", ">")
        made.add_url_rule(
            rule, f"{one.method} {one.path}", view(one), methods=[one.method], provide_automatic_options=False
        )
    made.register_error_handler(HTTPException, refuse)
    CXFlask(made, kit=kit)  # (6) the one line: visits are captured, visitors recognised
    return made


app = make()
