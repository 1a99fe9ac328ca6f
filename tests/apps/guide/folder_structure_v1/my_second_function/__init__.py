import azure.functions as func
from shared_code import my_first_helper_function, my_second_helper_function


def main(req: func.HttpRequest) -> str:
    return f"second, {my_first_helper_function.double(2)}, {my_second_helper_function.triple(2)}"
