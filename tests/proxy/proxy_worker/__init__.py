"""
A stand-in for the program around the library workers on Python 3.13, which is on no package index.

It has the names, ids and look-ups that were read in `workers/proxy_worker/dispatcher.py` of
github.com/Azure/azure-functions-python-worker, and nothing convenient beyond them. What sends to
the host there is a list here.
"""
