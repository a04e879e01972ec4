"""Answers questions about tokens with the libraries that others use: scitokens and PyJWT.

One question a line, one answer a line, both JSON.
"""

import json
import os
import sys
import tempfile

# The key cache of the library must not touch the user's.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()

import jwt
import scitokens
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def enforcer(question):
    return scitokens.Enforcer(question["issuer"], audience=question["audience"])


def token(question):
    made = scitokens.SciToken()
    made.update_claims(question["claims"])
    return made


def test(question):
    judge = enforcer(question)
    allowed = judge.test(token(question), question["authz"], question["path"])
    return {"allowed": bool(allowed), "why": judge.last_failure}


def acls(question):
    return {"acls": sorted(list(acl) for acl in enforcer(question).generate_acls(token(question)))}


def create(question):
    key = load_pem_private_key(question["key"].encode(), password=None)
    made = scitokens.SciToken(key=key, key_id=question["kid"])
    made.update_claims(question["claims"])
    return {"token": made.serialize(issuer=question["issuer"], lifetime=600).decode()}


def deserialize(question):
    public = question["public"].encode()
    read = scitokens.SciToken.deserialize(question["token"], insecure=False, public_key=public)
    return {"claims": dict(read.claims())}


def encode(question):
    headers = {"kid": question["kid"], **question.get("headers", {})}
    made = jwt.encode(question["claims"], question["key"], algorithm=question["algorithm"], headers=headers)
    return {"token": made}


def decode(question):
    options = {"verify_aud": False}
    read = jwt.decode(question["token"], question["public"], algorithms=[question["algorithm"]], options=options)
    return {"claims": read}


ANSWERS = {f.__name__: f for f in (test, acls, create, deserialize, encode, decode)}

for line in sys.stdin:
    question = json.loads(line)
    try:
        answer = ANSWERS[question["do"]](question)
    except Exception as error:  # every exception is an answer: the library refuses
        answer = {"error": type(error).__name__, "why": str(error)}
    print(json.dumps(answer), flush=True)
