import azure.functions as func


def main(message: func.QueueMessage, paper: func.InputStream, sent: func.Out[str]) -> bytes:
    sent.set(message.get_body().decode())
    return b"dear " + paper.read()
