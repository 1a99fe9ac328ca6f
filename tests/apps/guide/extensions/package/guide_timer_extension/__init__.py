"""An extension as the guide has one written: it is put on an index, and installed with the app."""

import logging
from time import time

from azure.functions import AppExtensionBase

from funcscope.extensions import FuncExtension


class TimerExtension(AppExtensionBase):
    """Tells how long each function of the app has taken."""

    @classmethod
    def init(cls):
        cls.started_at = {}
        cls.append_to_http_response = False

    @classmethod
    def configure(cls, *, append_to_http_response=False):
        cls.append_to_http_response = append_to_http_response

    @classmethod
    def pre_invocation_app_level(cls, logger, context, func_args=None, *args, **kwargs):
        cls.started_at[context.invocation_id] = time()

    @classmethod
    def post_invocation_app_level(
        cls, logger, context, func_args=None, func_ret=None, *args, **kwargs
    ):
        elapsed = time() - cls.started_at.pop(context.invocation_id)
        logger.info("%s took %.6f seconds", context.function_name, elapsed)
        if cls.append_to_http_response and hasattr(func_ret, "headers"):
            func_ret.headers["x-timed"] = context.function_name


class Named(FuncExtension):
    """Tells of each call of one function."""

    def pre_invocation(self, logger, context, func_args, *args, **kwargs):
        logging.info("before %s", context.function_name)
