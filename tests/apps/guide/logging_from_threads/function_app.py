import funcscope.auto  # noqa: F401, I001


import logging
import threading

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def by_the_recipe(context: func.Context, invocation_id: str) -> None:
    context.thread_local_storage.invocation_id = invocation_id
    logging.info("from a thread with the recipe")


def by_itself() -> None:
    logging.info("from a thread without it")


@app.route(route="threads")
def threads(req: func.HttpRequest, context: func.Context) -> str:
    arguments = (context, context.invocation_id)
    made = [
        threading.Thread(target=by_the_recipe, args=arguments),
        threading.Thread(target=by_itself),
    ]
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()
    return "done"
