"""An app that has Microsoft's distro or Logfire set providers, before, after or too late."""

import logging
import os

import azure.functions as func


def set_up(setting: str) -> None:
    """Do what a setting names, if that is set."""
    distro = os.environ.get(setting, "")
    if distro.startswith("microsoft"):
        from microsoft.opentelemetry import use_microsoft_opentelemetry

        use_microsoft_opentelemetry(
            enable_azure_monitor=distro == "microsoft-azure",
            azure_monitor_enable_live_metrics=False,
        )
    elif distro == "logfire":
        import logfire

        logfire.configure(send_to_logfire=False, console=False)


set_up("SET_UP_BEFORE")
import funcscope.auto  # noqa: E402, F401

if "START" in os.environ:
    from funcscope.telemetry import start

    start()
set_up("SET_UP_AFTER")
app = func.FunctionApp()


@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    set_up("SET_UP_WITHIN")
    logging.getLogger("app").warning("inside")
    return "hello"


@app.route("later")
async def later(req: func.HttpRequest) -> str:
    logging.getLogger("app").warning("inside")
    return "later"
