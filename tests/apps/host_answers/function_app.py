import logging
import os

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route("status/{status:int}")
def status(req):
    return func.HttpResponse("body", status_code=int(req.route_params["status"]))


@app.route("header")
def header(req):
    return func.HttpResponse("x", headers={req.params["name"]: req.params["value"]})


@app.route("cookies")
def cookies(req):
    response = func.HttpResponse("x")
    response.headers.add("Set-Cookie", "a=1; Path=/; SameSite=Lax")
    response.headers.add("Set-Cookie", "b=2; HttpOnly")
    return response


@app.route("framed")
def framed(req):
    headers = {"Content-Length": "99", "Date": "now", "Server": "s", "Transfer-Encoding": "chunked"}
    return func.HttpResponse("x", headers=headers)


@app.route("%Version%/url/{*path}")
def url(req):
    return func.HttpResponse(req.url)


@app.route("broken/{id:nothing}")
def broken(req):
    return func.HttpResponse("x")


@app.route("off")
def off(req):
    return func.HttpResponse("x")


@app.route("say/{*text}")
def say(req):
    text = req.route_params.get("text", "")
    logging.info("said %s", text)
    return func.HttpResponse(text)


@app.timer_trigger("timer", schedule="0 0 0 1 1 *")
def tick(timer: func.TimerRequest) -> None:
    logging.info("ticked")


@app.route("fail")
def fail(req):
    raise ValueError("cannot connect with AccountName=me;AccountKey=s3cret-account==;x=y")


@app.route("hostname")
def hostname(req):
    return func.HttpResponse(os.environ["WEBSITE_HOSTNAME"])
