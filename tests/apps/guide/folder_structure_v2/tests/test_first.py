from function_app import first


def test_first() -> None:
    assert first.build().get_user_function()(None) == "Hello, first!"
