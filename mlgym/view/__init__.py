"""A local web app that shows runs: read-only, on loopback, behind a token.

All that it shows was written by agents, tasks and models. The server sends it as JSON, with types
that the page can rely on; the page puts it into the document as text alone.
"""
