import funcscope.auto  # noqa: F401, I001


import logging
import os

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="setting")
def setting(req: func.HttpRequest) -> str:
    my_app_setting_value = os.environ["myAppSetting"]
    logging.info("my app setting is %s", my_app_setting_value)
    return f"{my_app_setting_value}, {os.environ['SET_OUTSIDE']}"
