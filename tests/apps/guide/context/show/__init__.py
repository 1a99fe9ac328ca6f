import funcscope.auto  # noqa: F401, I001

import json

import azure.functions as func


def main(req: func.HttpRequest, context: func.Context) -> str:
    return json.dumps(
        {
            "ctx_func_name": context.function_name,
            "ctx_func_dir": context.function_directory,
            "ctx_invocation_id": context.invocation_id,
            "ctx_trace_context_Traceparent": context.trace_context.Traceparent,
            "ctx_trace_context_Tracestate": context.trace_context.Tracestate,
            "ctx_trace_context_trace_parent": context.trace_context.trace_parent,
            "ctx_trace_context_trace_state": context.trace_context.trace_state,
            "ctx_retry_context_retry_count": context.retry_context.retry_count,
            "ctx_retry_context_max_retry_count": context.retry_context.max_retry_count,
        }
    )
