"""What is new in the SDK from 2.0 on: orchestrators and entities in durabletask's own style."""

import funcscope.auto  # noqa: F401, I001

import logging

import azure.durable_functions as df
import azure.functions as func
from durabletask.entities import DurableEntity, EntityInstanceId
from durabletask.task import OrchestrationContext
from funcscope.extensions import status
from opentelemetry import trace

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("hooks")
def hooks(req: func.HttpRequest) -> str:
    for extension in status().extensions:
        logging.info("%s: %s", extension.name, " ".join(extension.hooks))
    return "seen"


@app.orchestration_trigger(context_name="context")
def parent(context: df.DurableOrchestrationContext):
    logging.info("asking the child")
    try:
        said = yield context.call_sub_orchestrator("child", "x", "child-1")
        counter = EntityInstanceId("Counter", "K1")
        count = yield context.call_entity(counter, "add", 2)
        try:
            yield context.task_all(
                [context.call_entity(counter, "fail"), context.call_entity(counter, "add", 1)]
            )
        except Exception:
            logging.info("it failed")
    finally:
        logging.info("tidied up")
    return [said, count]


@app.orchestration_trigger(context_name="ctx")
def child(ctx: OrchestrationContext, given: str):
    logging.info("the child asks")
    answer = yield ctx.call_activity("answer", input=given)
    logging.info("the child knows")
    return answer


@app.orchestration_trigger(context_name="context")
def again(context: df.DurableOrchestrationContext):
    given = context.get_input()
    logging.info("round %d", given)
    try:
        yield context.call_activity("answer", "y")
        if given < 2:
            context.continue_as_new(given + 1)
            yield context.wait_for_external_event("never")
    finally:
        logging.info("end of round %d", given)
    return given


@app.orchestration_trigger(context_name="context")
def unreadable(context: df.DurableOrchestrationContext):
    return {1, 2}


@app.activity_trigger(input_name="given")
def answer(given: str) -> str:
    logging.info("answering %s", given)
    return given.upper()


@app.entity_trigger(context_name="context", entity_name="Counter")
class Counter(DurableEntity):
    def add(self, amount: int) -> int:
        with trace.get_tracer("own").start_as_current_span("adding"):
            count = self.get_state(int, 0) + amount
            self.set_state(count)
        logging.info("added %d", amount)
        return count

    def fail(self) -> None:
        raise LookupError("no such count")
