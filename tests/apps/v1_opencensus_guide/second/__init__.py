import requests


def main(req) -> str:
    requests.get(url="http://example.com")
    return "second"
