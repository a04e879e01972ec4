"""How long the libraries of others take for one token.

A question in JSON on standard input (`token`, `public`, `algorithm`, `issuer`), an answer by library: nanoseconds, or
why there are none. `XDG_CACHE_HOME` has a key cache of scitokens-cpp with the issuer's keys.
"""

import ctypes
import importlib.metadata
import json
import subprocess
import sys
import time

question = json.load(sys.stdin)
token, public, algorithm = question["token"], question["public"], question["algorithm"]


def measure(once):
    for _ in range(20):
        once()
    start, count = time.process_time_ns(), 0
    while time.process_time_ns() - start < 100_000_000:
        for _ in range(10):
            once()
        count += 10
    return (time.process_time_ns() - start) // count


def pyjwt():
    import jwt
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = load_pem_public_key(public.encode())
    options = {"verify_aud": False}
    return jwt.__version__, lambda: jwt.decode(token, key, algorithms=[algorithm], options=options)


def python_scitokens():
    import scitokens

    pem = public.encode()
    once = lambda: scitokens.SciToken.deserialize(token, public_key=pem)  # noqa: E731
    return importlib.metadata.version("scitokens"), once


def scitokens_cpp():
    library = load("libSciTokens.so.0", "libscitokens.so.0")
    issuers = (ctypes.c_char_p * 2)(question["issuer"].encode(), None)
    raw = token.encode()

    def deserialize():
        parsed, error = ctypes.c_void_p(), ctypes.c_char_p()
        if library.scitoken_deserialize(raw, ctypes.byref(parsed), issuers, ctypes.byref(error)) != 0:
            raise RuntimeError(error.value.decode())
        library.scitoken_destroy(parsed)

    return cpp_version(), deserialize


def load(*names):
    """Debian writes the name in one way, others in the other."""
    *first, last = names
    for name in first:
        try:
            return ctypes.CDLL(name)
        except OSError:
            pass
    return ctypes.CDLL(last)


def cpp_version():
    """The library does not say; the package does, where it came as one."""
    query = ["dpkg-query", "-W", "-f=${Version}", "libscitokens0"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split("-")[0]
    except (OSError, subprocess.CalledProcessError):
        return "of unknown version"


answer = {}
for name, peer in [("PyJWT", pyjwt), ("Python scitokens", python_scitokens), ("scitokens-cpp", scitokens_cpp)]:
    try:
        version, once = peer()
        answer[f"{name} {version}"] = measure(once)
    except Exception as error:  # whatever it is, it belongs below the table
        answer[name] = f"{type(error).__name__}: {error}"
print(json.dumps(answer))
