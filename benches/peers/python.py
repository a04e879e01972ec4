"""How long the libraries of others take for one token.

A question in JSON on standard input (`token`, `public`, `algorithm`, `issuer`), an answer with nanoseconds by library;
a library that is not installed is not in it. `XDG_CACHE_HOME` has a key cache of scitokens-cpp with the issuer's keys.
"""

import ctypes
import ctypes.util
import json
import os
import sys
import time

question = json.load(sys.stdin)
token, public, algorithm = question["token"], question["public"], question["algorithm"]
answer = {}


def measure(name, once):
    for _ in range(20):
        once()
    start, count = time.perf_counter_ns(), 0
    while time.perf_counter_ns() - start < 200_000_000:
        for _ in range(10):
            once()
        count += 10
    answer[name] = (time.perf_counter_ns() - start) // count


try:
    import jwt
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = load_pem_public_key(public.encode())
    options = {"verify_aud": False}
    measure("PyJWT " + jwt.__version__, lambda: jwt.decode(token, key, algorithms=[algorithm], options=options))
except ImportError:
    pass

try:
    import importlib.metadata

    import scitokens

    pem = public.encode()
    name = "Python scitokens " + importlib.metadata.version("scitokens")
    measure(name, lambda: scitokens.SciToken.deserialize(token, public_key=pem))
except ImportError:
    pass

try:
    cpp = ctypes.CDLL("libscitokens.so.0")
    issuers = (ctypes.c_char_p * 2)(question["issuer"].encode(), None)
    raw = token.encode()

    def deserialize():
        parsed, error = ctypes.c_void_p(), ctypes.c_char_p()
        if cpp.scitoken_deserialize(raw, ctypes.byref(parsed), issuers, ctypes.byref(error)) != 0:
            raise RuntimeError(error.value)
        cpp.scitoken_destroy(parsed)

    measure("scitokens-cpp", deserialize)
except OSError:
    pass

print(json.dumps(answer))
