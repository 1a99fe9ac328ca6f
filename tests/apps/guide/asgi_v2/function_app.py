import funcscope.auto  # noqa: F401, I001


import azure.functions as func
from framework import fast_app

app = func.AsgiFunctionApp(app=fast_app, http_auth_level=func.AuthLevel.ANONYMOUS)
