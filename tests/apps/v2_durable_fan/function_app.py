"""Orchestrators that fan out, activities of which one may fail, and an entity."""

import funcscope.auto  # noqa: F401, I001

import logging

import azure.durable_functions as df
from funcscope.telemetry import timed
from opentelemetry import trace

app = df.DFApp()


@app.orchestration_trigger(context_name="context")
def fan(context: df.DurableOrchestrationContext):
    logging.info("fanning out")
    tasks = [context.call_activity("work", text) for text in context.get_input()]
    results = yield context.task_all(tasks)
    logging.info("all done")
    return results


@app.orchestration_trigger(context_name="context")
def steps(context: df.DurableOrchestrationContext):
    results = []
    for text in context.get_input():
        logging.info("step %s", text)
        try:
            results.append((yield context.call_activity("work", text)))
        except Exception:
            logging.exception("step %s failed", text)
    return results


@app.orchestration_trigger(context_name="context")
def tidy(context: df.DurableOrchestrationContext):
    try:
        with timed("stage"), trace.get_tracer("tidy").start_as_current_span("own"):
            for text in context.get_input():
                yield context.call_activity("work", text)
    finally:
        logging.info("tidied up")


@app.orchestration_trigger(context_name="context")
def at_once(context: df.DurableOrchestrationContext):
    logging.info("nothing to wait for")
    return "done"


@app.activity_trigger(input_name="text", activity="work")
def work_on(text: str) -> str:
    logging.info("working on %s", text)
    if text == "bad":
        raise ValueError("cannot work on bad")
    return text.upper()


@app.entity_trigger(context_name="context", entity_name="Counter")
def counter(context: df.DurableEntityContext):
    logging.info("asked to %s", context.operation_name)
    if context.operation_name == "fail":
        raise LookupError("no such count")
    count = context.get_state(lambda: 0) + context.get_input()
    context.set_state(count)
    context.set_result(count)
