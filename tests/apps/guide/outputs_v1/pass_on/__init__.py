import azure.functions as func


def main(item: func.QueueMessage) -> str:
    return item.get_body().decode().upper()
