"""Writes and reads ClassAds with HTCondor's own library: one question of JSON a line, one answer a line."""

import json
import sys

import classad2

for line in sys.stdin:
    question = json.loads(line)
    if "read" in question:
        answer = [dict(ad) for ad in classad2.parseAds(question["read"])]
    else:
        ads = [classad2.ClassAd(ad) for ad in question["write"]]
        answer = "\n".join(str(ad) if question["form"] == "new" else ad.printOld() for ad in ads)
    # An ad may be a value in another one.
    print(json.dumps(answer, default=dict), flush=True)
