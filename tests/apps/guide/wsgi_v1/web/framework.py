import logging

from flask import Flask

flask_app = Flask(__name__)


@flask_app.get("/hello/<name>")
def hello(name: str) -> dict[str, str]:
    logging.info("in Flask")
    return {"hello": name}
