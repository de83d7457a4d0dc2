"""What the checks of all clients share: where the mesh is, and how a path is tried and reported."""

import json
import os
import traceback

URL = os.environ["MESH_URL"].rstrip("/")
BASE = f"{URL}/v1"
KEY = os.environ.get("MESH_KEY", "none")
MODEL = os.environ["MESH_MODEL"]
ENCODER = os.environ["MESH_ENCODER"]
RERANKER = os.environ["MESH_RERANKER"]

QUESTION = "What is the capital of France?"

_paths = []


def path(name):
    """Marks a function that tries one path of the API and raises where it is not as its client says."""

    def mark(work):
        _paths.append((name, work))
        return work

    return mark


def same(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def report():
    """Tries every path, and tells of each on a line of JSON."""
    for name, work in _paths:
        try:
            work()
            outcome = {"path": name, "ok": True}
        except Exception as error:  # whatever a client raises is its result
            where = traceback.extract_tb(error.__traceback__)[-1]
            why = f"{type(error).__name__}: {error} ({os.path.basename(where.filename)}:{where.lineno})"
            outcome = {"path": name, "ok": False, "why": why}
        print("RESULT " + json.dumps(outcome), flush=True)
