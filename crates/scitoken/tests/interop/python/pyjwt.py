"""PyJWT behind standard input and output: one JSON object a line, one answer a line.

{"do": "encode", "claims": TEXT, "key": KEY, "algorithm": NAME, "headers": TEXT}     -> {"token": ...}
{"do": "encode-bytes", "payload": BASE64, "key": KEY, ..., "detached": BOOL}         -> {"token": ...}
{"do": "decode", "token": BASE64, "key": KEY, "algorithms": [...], "now": SECONDS,
 "args": {...}}                                                                      -> {"claims": TEXT, "header": TEXT}
{"do": "header", "token": BASE64}                                                    -> {"header": TEXT}
{"do": "int", "json": TEXT}                                                          -> {"int": TEXT or null}
{"do": "dumps", "json": TEXT}                                                        -> {"json": TEXT}

A KEY is {"text": ...}, {"base64": ...} or {"jwk": ...}. Whatever is raised is {"error": CLASS, "message": ...}.
"""

import base64
import datetime
import json
import sys
import warnings

import jwt
import jwt.api_jws
import jwt.api_jwt

warnings.simplefilter("ignore")


class Clock(datetime.datetime):
    seconds = 0.0

    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(cls.seconds, tz=tz)


jwt.api_jwt.datetime = Clock


def key_of(question):
    key = question["key"]
    if "jwk" in key:
        return jwt.PyJWK(json.loads(key["jwk"]))
    if "base64" in key:
        return base64.b64decode(key["base64"])
    return key["text"]


def dumps(value):
    return json.dumps(value, separators=(",", ":"))


def answer(question):
    do = question["do"]
    if do == "encode":
        token = jwt.encode(
            json.loads(question["claims"]),
            key_of(question),
            algorithm=question["algorithm"],
            headers=json.loads(question["headers"]),
        )
        return {"token": token}
    if do == "encode-bytes":
        token = jwt.api_jws.encode(
            base64.b64decode(question["payload"]),
            key_of(question),
            algorithm=question["algorithm"],
            is_payload_detached=question["detached"],
        )
        return {"token": token}
    if do == "decode":
        Clock.seconds = question["now"]
        args = dict(question["args"])
        if "detached_payload" in args:
            args["detached_payload"] = base64.b64decode(args["detached_payload"])
        decoded = jwt.decode_complete(
            base64.b64decode(question["token"]),
            key_of(question),
            algorithms=question["algorithms"],
            **args,
        )
        return {"claims": dumps(decoded["payload"]), "header": dumps(decoded["header"])}
    if do == "header":
        return {"header": dumps(jwt.get_unverified_header(base64.b64decode(question["token"])))}
    if do == "int":
        try:
            return {"int": str(int(json.loads(question["json"])))}
        except (TypeError, ValueError, OverflowError):
            return {"int": None}
    if do == "dumps":
        return {"json": dumps(json.loads(question["json"]))}
    raise SystemExit(f"unknown question {do}")


for line in sys.stdin:
    question = json.loads(line)
    try:
        reply = answer(question)
    except Exception as error:  # the class is the answer
        reply = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(reply), flush=True)
