"""The batch as a worker gets it from Service Bus, where each message has its sender's trace."""

import json

TRACES = ["a" * 32, "b" * 32]


def test_each_message_is_linked_to_its_sender(invoke, spans):
    """The invocation has a link for each message, and the message's own span has its own."""
    properties = [{"traceparent": f"00-{trace}-{'c' * 16}-01"} for trace in TRACES]
    batch = [json.dumps({"order": n, "item": item}) for n, item in enumerate(["tea", "biscuits"])]

    result = invoke("pack", batch, metadata={"ApplicationPropertiesArray": properties})

    messages = spans.children(result.span)
    linked = [[f"{link.context.trace_id:032x}" for link in span.links] for span in messages]
    assert linked == [[trace] for trace in TRACES]
    assert [span.attributes["shop.order"] for span in messages] == [0, 1]
    assert [f"{link.context.trace_id:032x}" for link in result.span.links] == TRACES
    assert "packing biscuits" in result.logs
