"""globus-sdk behind a pipe: one JSON object a line in, one out.

`kind` is json, sqlite, memory, or v1-json, v1-sqlite for the adapters that the SDK calls legacy.
"""

import json
import sys

from globus_sdk import token_storage as ts
from globus_sdk.token_storage.legacy import SimpleJSONFileAdapter, SQLiteAdapter


class Response:
    """What the legacy adapters need of a token response."""

    def __init__(self, by_resource_server):
        self.by_resource_server = by_resource_server


def storage(question):
    namespace = question.get("namespace", "DEFAULT")
    path = question["path"]
    kind = question["kind"]
    if kind == "json":
        return ts.JSONTokenStorage(path, namespace=namespace)
    if kind == "sqlite":
        return ts.SQLiteTokenStorage(path, namespace=namespace)
    if kind == "v1-json":
        return SimpleJSONFileAdapter(path)
    if kind == "v1-sqlite":
        return SQLiteAdapter(path, namespace=namespace)
    raise ValueError(kind)


def answer(question):
    what = question["do"]
    if what == "location":
        from globus_sdk.token_storage.base import _default_globus_app_filepath

        path = _default_globus_app_filepath(question["client_id"], question["app_name"], question["environment"])
        return path + ".json"
    if what == "isprintable":
        return [chr(c).isprintable() for c in question["characters"]]
    it = storage(question)
    try:
        legacy = question["kind"].startswith("v1")
        if what == "store" and legacy:
            it.store(Response(question["tokens"]))
            return None
        if what == "store":
            data = {rs: ts.TokenStorageData.from_dict(token) for rs, token in question["tokens"].items()}
            it.store_token_data_by_resource_server(data)
            return None
        if what == "get" and legacy:
            return it.get_by_resource_server()
        if what == "get":
            return {rs: data.to_dict() for rs, data in it.get_token_data_by_resource_server().items()}
        if what == "remove":
            return it.remove_token_data(question["resource_server"])
        if what == "namespaces":
            return sorted(it.iter_namespaces())
        if what == "config":
            it.store_config("cfg", {"a": 1})
            return it.read_config("cfg")
        raise ValueError(what)
    finally:
        if hasattr(it, "close"):
            it.close()


for line in sys.stdin:
    try:
        print(json.dumps({"ok": answer(json.loads(line))}), flush=True)
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
