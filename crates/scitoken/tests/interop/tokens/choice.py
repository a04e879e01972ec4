"""Which token igwn-auth-utils chooses: one JSON object for each question."""

import json
import os
import sys
import warnings

warnings.simplefilter("ignore")

from igwn_auth_utils import scitokens as igwn  # noqa: E402

PLACES = (
    "BEARER_TOKEN", "BEARER_TOKEN_FILE", "XDG_RUNTIME_DIR", "SCITOKEN", "SCITOKEN_FILE", "_CONDOR_CREDS",
)

for line in sys.stdin:
    question = json.loads(line)
    for name in PLACES:
        os.environ.pop(name, None)
    os.environ.update(question["env"])
    try:
        token = igwn.find_token(
            igwn.target_audience(question["url"]), question["scope"], public_key=question["key"].encode(),
        )
        answer = {"token": token._serialized_token}
    except Exception as error:
        answer = {"token": None, "why": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
