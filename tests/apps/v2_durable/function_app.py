"""Durable Functions, whose bindings are named `context`."""

import funcscope.auto  # noqa: F401, I001

import logging

import azure.durable_functions as df

app = df.DFApp()


@app.orchestration_trigger(context_name="context")
def orchestrator(context: df.DurableOrchestrationContext):
    logging.info("orchestrating %s", context.instance_id)
    result = yield context.call_activity("activity", "x")
    return result


@app.activity_trigger(input_name="text")
def activity(text: str) -> str:
    logging.info("working on %s", text)
    return text


@app.entity_trigger(context_name="context")
def entity(context: df.DurableEntityContext):
    context.set_state(1)
