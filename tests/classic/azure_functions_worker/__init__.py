"""
A stand-in for the classic worker, which is on no package index.

It has the modules, names, signatures, thread pool, thread-local and order that were observed on
worker 4.34 (Python 3.11), and nothing convenient beyond them. What carries protobuf messages
there carries plain objects here.
"""
