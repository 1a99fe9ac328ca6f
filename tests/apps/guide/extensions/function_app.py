import azure.functions as func
import guide_timer_extension

from funcscope.extensions import install

install()
guide_timer_extension.TimerExtension.configure(append_to_http_response=True)
only_second = guide_timer_extension.Named("second")

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="first")
def first(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("first")


@app.route(route="second")
def second(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("second")
