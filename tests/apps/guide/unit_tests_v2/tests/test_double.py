import azure.functions as func
from function_app import double


def test_double() -> None:
    req = func.HttpRequest(method="GET", body=b"", url="/api/double", params={"value": "21"})
    func_call = double.build().get_user_function()

    assert func_call(req).get_body() == b"21 * 2 = 42"
