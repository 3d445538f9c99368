#!/usr/bin/env python3
"""Ask an API server about pairs of objects.

usage: ask.py pairs.jsonl > verdicts.jsonl

Prints for each pair {"id", "create": [MESSAGE...], "update": [MESSAGE...]}: why the server would not
take the new object as a new one, and why it would not take it in place of the old one. Both are
empty if it would. `failed` says why a pair cannot be judged.
"""
import http.client
import json
import os
import ssl
import sys
from urllib.parse import quote

SERVER = os.environ.get("ORACLE_SERVER", "127.0.0.1:64430")
TOKEN = os.environ.get("ORACLE_TOKEN", "oracle-token")
CONTEXT = ssl._create_unverified_context()
connection = None
APPLY = "application/apply-patch+yaml"


def request(method, path, body=None, content="application/json"):
    global connection
    for _ in range(2):
        try:
            connection = connection or http.client.HTTPSConnection(*SERVER.rsplit(":", 1), context=CONTEXT, timeout=60)
            headers = {"Authorization": "Bearer " + TOKEN, "Content-Type": content}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException):
            connection = None
    return 0, {"message": "no answer"}


def discover():
    found, paths = {}, [("v1", "/api/v1")]
    for group in request("GET", "/apis")[1]["groups"]:
        paths += [(v["groupVersion"], "/apis/" + v["groupVersion"]) for v in group["versions"]]
    for version, path in paths:
        for r in request("GET", path)[1].get("resources", []):
            if "/" not in r["name"]:
                found[(version, r["kind"])] = (path, r["name"], r["namespaced"])
    return found


def refusals(status, answer):
    if status < 300:
        return []
    causes = (answer.get("details") or {}).get("causes") or []
    return [c.get("field", "") + ": " + c.get("message", "") for c in causes] or [answer.get("message", str(status))]


def ask(pair, kinds):
    old, new = pair["old"], pair["new"]
    known = kinds.get((old["apiVersion"], old["kind"]))
    if known is None:
        return {"failed": "no such kind"}
    path, plural, namespaced = known
    if namespaced:
        namespace = "upgrade"
        for o in (old, new):
            o["metadata"]["namespace"] = namespace
        path += "/namespaces/" + namespace
    one = f"{path}/{plural}/{quote(old['metadata']['name'], safe='')}"
    query = "?fieldManager=helm&force=true&fieldValidation=Ignore"
    probe = json.loads(json.dumps(new))
    probe["metadata"]["name"] = old["metadata"]["name"]
    create = refusals(*request("PATCH", one + query + "&dryRun=All", probe, APPLY))
    try:
        status, answer = request("PATCH", one + query, old, APPLY)
        if status >= 300:
            return {"failed": "old: " + str(answer.get("message"))[:300]}
        if old["kind"] == "PersistentVolumeClaim":
            bound = {"status": {"phase": "Bound", "capacity": old["spec"]["resources"]["requests"]}}
            request("PATCH", one + "/status", bound, "application/merge-patch+json")
        update = refusals(*request("PATCH", one + query + "&dryRun=All", new, APPLY))
        return {"create": create, "update": update}
    finally:
        request("PATCH", one, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
        request("DELETE", one + "?gracePeriodSeconds=0&propagationPolicy=Background")


def main():
    kinds = discover()
    request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "upgrade"}})
    for line in open(sys.argv[1]):
        pair = json.loads(line)
        print(json.dumps({"id": pair["id"], **ask(pair, kinds)}), flush=True)


main()
