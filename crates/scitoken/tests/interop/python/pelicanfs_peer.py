"""One question to pelicanfs: `HOST OPERATION PATH [TOKEN]`; the answer is a line of JSON.

Each question needs a process of its own: pelicanfs shares its HTTP client, with its headers, between file systems.
"""

import base64
import json
import sys

from pelicanfs.core import PelicanFileSystem

host, operation, path = sys.argv[1:4]
options = {"headers": {"Authorization": f"Bearer {sys.argv[4]}"}} if len(sys.argv) > 4 else {}
fs = PelicanFileSystem(f"pelican://{host}", **options)
if operation == "cat":
    answer = base64.b64encode(fs.cat(path)).decode()
elif operation == "ls":
    answer = sorted([entry["name"], entry["type"], entry["size"]] for entry in fs.ls(path, detail=True))
elif operation == "find":
    answer = sorted(fs.find(path))
else:
    sys.exit(f"unknown operation {operation}")
print(json.dumps(answer))
