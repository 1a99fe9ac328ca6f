"""An HTTP function of the v1 model that answers nothing."""

import azure.functions as func


def main(req: func.HttpRequest) -> None:
    """Do nothing."""
