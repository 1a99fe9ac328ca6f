import funcscope.auto  # noqa: F401, I001

import logging

import azure.durable_functions as df


def orchestrate(context: df.DurableOrchestrationContext):
    logging.info("fanning out")
    tasks = [context.call_activity("work", text) for text in context.get_input()]
    results = yield context.task_all(tasks)
    logging.info("all done")
    return results


main = df.Orchestrator.create(orchestrate)
