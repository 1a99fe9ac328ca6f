"""A caller's request id, on all that an Azure Functions app says of the request."""

from functions_request_id._extension import HEADER, RequestId

__all__ = ["HEADER", "RequestId"]
