import logging

from fastapi import FastAPI

fast_app = FastAPI()


@fast_app.get("/hello/{name}")
async def hello(name: str) -> dict[str, str]:
    logging.info("in FastAPI")
    return {"hello": name}
