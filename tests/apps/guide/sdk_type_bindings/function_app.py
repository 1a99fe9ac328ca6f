import funcscope.auto  # noqa: F401, I001


import logging

import azure.functions as func
import azurefunctions.extensions.bindings.blob as blob

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.blob_trigger(arg_name="client", path="uploads/{name}", connection="AzureWebJobsStorage")
def uploaded(client: blob.BlobClient) -> None:
    properties = client.get_blob_properties()
    logging.info("uploaded %s, %s bytes", properties.name, properties.size)


@app.route(route="files")
@app.blob_input(arg_name="container", path="files", connection="AzureWebJobsStorage")
def files(req: func.HttpRequest, container: blob.ContainerClient) -> str:
    return ", ".join(sorted(container.list_blob_names()))


@app.route(route="files/{name}")
@app.blob_input(arg_name="stream", path="files/{name}", connection="AzureWebJobsStorage")
def content(req: func.HttpRequest, stream: blob.StorageStreamDownloader) -> str:
    return b"".join(stream.chunks()).decode()
