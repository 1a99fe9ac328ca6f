"""An app with the faults that the page on `funcscope doctor` shows."""

import azure.functions as func

import funcscope.auto  # noqa: F401

app = func.FunctionApp()
