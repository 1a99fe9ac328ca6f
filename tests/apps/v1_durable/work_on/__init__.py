import logging


def main(text: str) -> str:
    logging.info("working on %s", text)
    if text == "bad":
        raise ValueError("cannot work on bad")
    return text.upper()
