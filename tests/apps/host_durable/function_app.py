"""Orchestrations and entities of each kind, for the local host's task hub."""

import funcscope.auto  # noqa: F401, I001

import json
import logging
from datetime import timedelta
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
failures: dict[str, int] = {}


@app.route("start/{name}")
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    given = json.loads(req.get_body() or b"null")
    instance_id = await client.start_new(
        req.route_params["name"], req.params.get("id"), client_input=given
    )
    return client.create_check_status_response(req, instance_id)


@app.route("ask/{what}/{id}")
@app.durable_client_input(client_name="client")
async def ask(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    what, instance = req.route_params["what"], req.route_params["id"]
    if what == "raise":
        await client.raise_event(instance, "approval", True)
    elif what == "terminate":
        await client.terminate(instance, "no longer wanted")
    elif what == "suspend":
        await client.suspend(instance, "wait")
    elif what == "resume":
        await client.resume(instance, "go on")
    elif what == "purge":
        result = await client.purge_instance_history(instance)
        return func.HttpResponse(str(result.instances_deleted))
    elif what == "signal":
        await client.signal_entity(df.EntityId("counter", instance), "add", 5)
    elif what == "break":
        await client.signal_entity(df.EntityId("counter", instance), "break")
    elif what == "entity":
        state = await client.read_entity_state(df.EntityId("counter", instance))
        return func.HttpResponse(json.dumps([state.entity_exists, state.entity_state]))
    elif what == "status":
        status = await client.get_status(instance)
        return func.HttpResponse(json.dumps(status.to_json()))
    return func.HttpResponse("done")


@app.activity_trigger(input_name="city")
def greet(city: str) -> str:
    logging.info("greeting %s", city)
    if city == "nowhere":
        raise ValueError("there is no such city")
    return f"Hello, {city}!"


@app.activity_trigger(input_name="gate")
def pass_gate(gate: str) -> str:
    logging.info("at the gate")
    return Path(gate).read_text()


@app.activity_trigger(input_name="given")
def flaky(given: dict) -> int:
    """Fail as often as it is told to."""
    key = given["key"]
    failures[key] = failures.get(key, 0) + 1
    if failures[key] <= given["failures"]:
        raise ConnectionError(f"attempt {failures[key]}")
    return failures[key]


@app.orchestration_trigger(context_name="context")
def chain(context: df.DurableOrchestrationContext):
    logging.info("chaining")
    first = yield context.call_activity("greet", "Tokyo")
    second = yield context.call_activity("greet", "Seattle")
    context.set_custom_status("greeted")
    return [first, second]


@app.orchestration_trigger(context_name="context")
def gated(context: df.DurableOrchestrationContext):
    return (yield context.call_activity("pass_gate", context.get_input()))


@app.orchestration_trigger(context_name="context")
def fan(context: df.DurableOrchestrationContext):
    greetings = yield context.task_all(
        [context.call_activity("greet", city) for city in context.get_input()]
    )
    return sorted(greetings)


@app.orchestration_trigger(context_name="context")
def approval(context: df.DurableOrchestrationContext):
    """Wait for a person, as long as the input says, in seconds."""
    timeout = context.current_utc_datetime + timedelta(seconds=context.get_input())
    timer = context.create_timer(timeout)
    answer = context.wait_for_external_event("approval")
    winner = yield context.task_any([timer, answer])
    if winner == answer:
        timer.cancel()
        return f"approved: {answer.result}"
    return "too late"


@app.orchestration_trigger(context_name="context")
def parent(context: df.DurableOrchestrationContext):
    one = yield context.call_sub_orchestrator("chain")
    both = yield context.task_all(
        [context.call_sub_orchestrator("fan", [city]) for city in ("London", "Paris")]
    )
    return [one, both]


@app.orchestration_trigger(context_name="context")
def fails(context: df.DurableOrchestrationContext):
    yield context.call_activity("greet", "nowhere")


@app.orchestration_trigger(context_name="context")
def catches(context: df.DurableOrchestrationContext):
    try:
        yield context.call_activity("greet", "nowhere")
    except Exception as error:
        return yield_text(error)
    return "not reached"


def yield_text(error: Exception) -> str:
    return "no such city" if "no such city" in str(error) else str(error)


@app.orchestration_trigger(context_name="context")
def retries(context: df.DurableOrchestrationContext):
    options = df.RetryOptions(first_retry_interval_in_milliseconds=20, max_number_of_attempts=3)
    return (yield context.call_activity_with_retry("flaky", options, context.get_input()))


@app.orchestration_trigger(context_name="context")
def several_retries(context: df.DurableOrchestrationContext):
    """Retries beside others, so that their numbers mix, and a step after them."""
    options = df.RetryOptions(first_retry_interval_in_milliseconds=20, max_number_of_attempts=4)
    tasks = [
        context.call_activity_with_retry("flaky", options, given) for given in context.get_input()
    ]
    counts = yield context.task_all([*tasks, context.call_activity("greet", "Oslo")])
    last = yield context.call_activity("greet", "Lima")
    return [*counts, last]


@app.orchestration_trigger(context_name="context")
def again(context: df.DurableOrchestrationContext):
    count = context.get_input()
    yield context.call_activity("greet", f"round {count}")
    if count < 3:
        context.continue_as_new(count + 1)
        return None
    return f"{count} rounds"


@app.orchestration_trigger(context_name="context")
def counts(context: df.DurableOrchestrationContext):
    counter = df.EntityId("counter", context.get_input())
    yield context.call_entity(counter, "add", 3)
    context.signal_entity(counter, "add", 4)
    value = yield context.call_entity(counter, "get")
    try:
        yield context.call_entity(counter, "break")
    except Exception as error:
        return [value, str(error)]
    return [value, None]


@app.entity_trigger(context_name="context")
def counter(context: df.DurableEntityContext):
    value = context.get_state(lambda: 0)
    if context.operation_name == "add":
        value += context.get_input()
    elif context.operation_name == "break":
        raise ArithmeticError("broken")
    context.set_state(value)
    context.set_result(value)


@app.orchestration_trigger(context_name="context")
def fetches(context: df.DurableOrchestrationContext):
    answer = yield context.call_http("GET", context.get_input())
    return [answer["statusCode"], answer["content"]]
