import azure.functions as func
from double import main


def test_double() -> None:
    req = func.HttpRequest(method="GET", body=b"", url="/api/double", params={"value": "21"})

    assert main(req).get_body() == b"21 * 2 = 42"


def test_no_value() -> None:
    req = func.HttpRequest(method="GET", body=b"", url="/api/double")

    assert main(req).status_code == 400
