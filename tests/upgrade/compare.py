#!/usr/bin/env python3
"""Compare what thebot-lint says of pairs with the verdicts that ask.py has got.

usage: compare.py BINARY pairs.jsonl verdicts.jsonl

Writes the pairs into charts, an old and a new one, such that no two objects of a chart have the same
name; runs `thebot-lint diff NEW --base OLD`, and prints the agreement and each disagreement. A pair
whose new object the server would not take as a new one does not count.
"""
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

binary, pairs, verdicts = sys.argv[1:4]
verdicts = {v["id"]: v for v in map(json.loads, open(verdicts))}
charts = []
for pair in map(json.loads, open(pairs)):
    verdict = verdicts.get(pair["id"])
    if not verdict or verdict["create"] or verdict.get("failed"):
        continue
    o = pair["old"]
    key = (o["kind"], o["metadata"]["name"])
    chart = next((c for c in charts if key not in c and len(c) < 400), None)
    if chart is None:
        charts.append(chart := {})
    chart[key] = pair
agree, kinds, wrong = 0, Counter(), []
for chart in charts:
    with tempfile.TemporaryDirectory() as folder:
        for side in ("old", "new"):
            templates = Path(folder, side, "templates")
            templates.mkdir(parents=True)
            templates.parent.joinpath("Chart.yaml").write_text("apiVersion: v2\nname: pairs\nversion: 1.0.0\n")
            for number, pair in enumerate(chart.values()):
                templates.joinpath(f"{number}.yaml").write_text(json.dumps(pair[side]))
        run = subprocess.run([binary, "diff", "new", "--base", "old", "--format", "json", "--no-config"], cwd=folder, capture_output=True, text=True)
        if not run.stdout:
            sys.exit(run.stderr)
        refused = {}
        for f in json.loads(run.stdout)["findings"]:
            if f["rule"] == "upgrade-refused" and (f["kubernetes"] is None or "1.37" in f["kubernetes"]):
                refused.setdefault((f["object"]["kind"], f["object"]["name"]), []).append(f["message"])
    for key, pair in chart.items():
        said, verdict = refused.get(key, []), verdicts[pair["id"]]
        kinds[key[0]] += 1
        if bool(said) == bool(verdict["update"]):
            agree += 1
        else:
            wrong.append((pair["id"], key, said, verdict["update"]))
total = sum(kinds.values())
truly = sum(1 for c in charts for p in c.values() if verdicts[p["id"]]["update"])
for number, key, said, update in wrong:
    print("FALSE ALARM" if said else "MISSED", number, key, (said or update)[0][:400])
alarms = sum(1 for w in wrong if w[2])
print(f"{total} pairs of {len(kinds)} kinds, {truly} of them refused: agreement {100 * agree / total:.2f} %, {alarms} false alarms, {len(wrong) - alarms} missed")
