from my_second_function import main


def test_my_second_function() -> None:
    assert main(None) == "second, 4, 6"
