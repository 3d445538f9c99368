#!/usr/bin/env python3
"""Make pairs of objects: one as it is, and one with a field changed.

usage: pairs.py COUNT SEED FILE|FOLDER... > pairs.jsonl

Each FILE has manifests, or is a .jsonl.gz with the fields `manifest` and `accepted`. Each line of the
output is {"id", "old", "new"}. The same arguments give the same pairs. Most of the changed objects
would be valid as new ones; ask.py leaves out the others.
"""
import copy
import gzip
import json
import random
import sys
from pathlib import Path

import yaml

MOST_OF_KIND = 60          # seeds of one kind
POD = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "PodTemplate", "ReplicationController"}


def documents(paths):
    for path in map(Path, paths):
        files = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml")) if path.is_dir() else [path]
        for file in files:
            if file.name.endswith(".jsonl.gz"):
                for line in gzip.open(file, "rt"):
                    row = json.loads(line)
                    if row.get("accepted"):
                        yield row["manifest"]
            else:
                yield file.read_text(errors="replace")


def objects(paths):
    for text in documents(paths):
        try:
            found = list(yaml.load_all(text, yaml.CSafeLoader))
        except yaml.YAMLError:
            continue
        for o in found:
            if isinstance(o, dict) and isinstance(o.get("apiVersion"), str) and isinstance(o.get("kind"), str) \
                    and isinstance(o.get("metadata"), dict) and isinstance(o["metadata"].get("name"), str):
                text = json.dumps(o, default=str)
                if "{{" not in text and len(text) < 20000 and is_built_in(o):
                    yield json.loads(text)


def is_built_in(o):
    group = o["apiVersion"].rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io") and o["kind"] not in ("Event", "Endpoints")


def template_of(o):
    spec = o.get("spec")
    return o.get("template") if o["kind"] == "PodTemplate" else spec.get("template") if isinstance(spec, dict) else None


def wrapped(o, rng):
    """The pod template of a workload in a Job, a StatefulSet and a Pod, whose fields are hardest to change."""
    template = template_of(o) if o["kind"] in POD else None
    if not isinstance(template, dict) or not isinstance(template.get("spec"), dict):
        return
    name = o["metadata"]["name"]
    job = copy.deepcopy(template)
    job["spec"]["restartPolicy"] = "Never"
    yield {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": job}}
    labels = ((template.get("metadata") or {}).get("labels")) or None
    if labels:
        spec = copy.deepcopy(template)
        spec["spec"]["restartPolicy"] = "Always"
        claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
        yield {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": {
            "serviceName": name, "selector": {"matchLabels": dict(list(labels.items())[:1])}, "template": spec, "volumeClaimTemplates": [claim]}}
    pod = copy.deepcopy(template["spec"])
    yield {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod}


def places(node, path=()):
    """Every place of a tree, with its path."""
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from places(value, path + (key,))


def get(node, path):
    for step in path:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            return None
    return node


def shape(path):
    return tuple("*" if isinstance(step, int) else step for step in path)


DEFAULTS = {
    "imagePullPolicy": ["IfNotPresent", "Always"], "dnsPolicy": ["ClusterFirst"], "restartPolicy": ["Never", "Always"],
    "terminationGracePeriodSeconds": [30, 31], "protocol": ["TCP", "UDP"], "podManagementPolicy": ["OrderedReady", "Parallel"],
    "volumeMode": ["Filesystem", "Block"], "clusterIP": ["None", "10.96.0.9", ""], "type": ["ClusterIP", "NodePort", "LoadBalancer"],
    "automountServiceAccountToken": [False, True], "hostNetwork": [False, True], "serviceAccountName": ["", "default"],
    "schedulerName": ["default-scheduler"], "completionMode": ["NonIndexed", "Indexed"], "parallelism": [1, 2], "completions": [1, 2],
    "backoffLimit": [6, 2], "suspend": [True, False], "immutable": [True, False], "securityContext": [{}], "affinity": [{}, None],
    "nodeSelector": [{}, {"a": "b"}], "tolerations": [[], [{"key": "a", "operator": "Exists"}]], "defaultMode": [420, 384],
    "reclaimPolicy": ["Delete", "Retain"], "volumeBindingMode": ["Immediate", "WaitForFirstConsumer"], "apiGroup": ["rbac.authorization.k8s.io"],
    "storageClassName": ["standard", ""], "loadBalancerClass": ["example.com/lb"], "externalTrafficPolicy": ["Local", "Cluster"],
    "ipFamilies": [["IPv4"]], "replicas": [1, 2], "revisionHistoryLimit": [10, 3], "minReadySeconds": [0, 5], "hostUsers": [True],
    "preemptionPolicy": ["PreemptLowerPriority", "Never"], "terminationMessagePolicy": ["File"], "enableServiceLinks": [True, False],
    "runAsNonRoot": [False, True], "privileged": [False], "optional": [False, True], "value": [""], "env": [[]], "resources": [{}],
    "ttlSecondsAfterFinished": [60], "activeDeadlineSeconds": [100, 50], "podReplacementPolicy": ["Failed"], "labels": [{}, {"new": "label"}],
    "annotations": [{}, {"new": "annotation"}], "timeoutSeconds": [1, 2], "periodSeconds": [10], "scheme": ["HTTP"], "path": ["/", "/x"],
    "storageCapacity": [True], "podInfoOnMount": [True], "attachRequired": [True, False], "scopes": [["BestEffort"]], "serviceName": ["other"],
}
WHERE = {     # fields that may be added below a path of a kind's own
    "spec": ["clusterIP", "type", "loadBalancerClass", "externalTrafficPolicy", "completionMode", "parallelism", "completions", "backoffLimit",
             "suspend", "podManagementPolicy", "storageClassName", "volumeMode", "replicas", "revisionHistoryLimit", "minReadySeconds",
             "ttlSecondsAfterFinished", "activeDeadlineSeconds", "podReplacementPolicy", "attachRequired", "scopes", "serviceName", "ipFamilies",
             "storageCapacity", "podInfoOnMount"],
    "pod": ["dnsPolicy", "terminationGracePeriodSeconds", "automountServiceAccountToken", "hostNetwork", "serviceAccountName", "schedulerName",
            "securityContext", "affinity", "nodeSelector", "tolerations", "enableServiceLinks", "hostUsers", "activeDeadlineSeconds"],
    "container": ["imagePullPolicy", "terminationMessagePolicy", "env", "resources", "securityContext"],
    "metadata": ["labels", "annotations"],
    "root": ["immutable", "reclaimPolicy", "volumeBindingMode", "preemptionPolicy"],
}


def group_of(o, path):
    if path == ():
        return "root"
    if path[-1] == "metadata":
        return "metadata"
    if len(path) >= 2 and path[-2] in ("containers", "initContainers"):
        return "container"
    if path[-1] == "spec":
        return "pod" if isinstance(get(o, path + ("containers",)), list) else "spec"
    return None


def mutate(o, others, rng):
    new = copy.deepcopy(o)
    own = [p for p in places(new) if p and p[0] not in ("apiVersion", "kind", "status") and p != ("metadata",) and p != ("metadata", "name")
           and p != ("metadata", "namespace")]
    way = rng.random()
    if way < 0.3:
        # A field that this object does not have.
        at = [p for p in places(new) if isinstance(get(new, p), dict) and group_of(new, p)]
        path = rng.choice(at)
        field = rng.choice(WHERE[group_of(new, path)])
        get(new, path)[field] = copy.deepcopy(rng.choice(DEFAULTS[field]))
        return new
    if not own:
        return new
    path = rng.choice(own)
    above, last, value = get(new, path[:-1]), path[-1], get(new, path)
    if way < 0.45:
        del above[last]
    elif way < 0.6:
        # What another object of the kind has there.
        found = others.get((o["kind"], shape(path)), [])
        above[last] = copy.deepcopy(rng.choice(found)) if found else None
    elif isinstance(value, bool):
        above[last] = not value
    elif isinstance(value, int):
        above[last] = rng.choice([value + 1, value, 0])
    elif isinstance(value, list):
        if value and rng.random() < 0.5:
            rng.shuffle(value)
        elif value:
            value.pop(rng.randrange(len(value)))
    elif isinstance(value, dict):
        if value:
            value.pop(rng.choice(sorted(value)))
    elif isinstance(value, str):
        choices = list(DEFAULTS.get(last, []))
        if last in ("cpu", "memory", "storage", "ephemeral-storage"):
            choices += ["1", "1000m", "1Gi", "1024Mi", "2Gi"]
        above[last] = rng.choice(choices + [value + "x", "x"])
    return new


def main():
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(seed)
    kinds = {}
    for o in objects(sys.argv[3:]):
        for seed_object in [o, *wrapped(o, rng)]:
            kinds.setdefault((seed_object["apiVersion"], seed_object["kind"]), {})[json.dumps(seed_object, sort_keys=True)] = seed_object
    seeds, others = [], {}
    for key in sorted(kinds):
        all_of_kind = [kinds[key][text] for text in sorted(kinds[key])]
        rng.shuffle(all_of_kind)
        for o in all_of_kind:
            for path in places(o):
                if path:
                    others.setdefault((o["kind"], shape(path)), []).append(get(o, path))
        seeds.append(all_of_kind[:MOST_OF_KIND])
    seen, number, tries = set(), 0, 0
    while number < count and tries < 50 * count:
        tries += 1
        old = rng.choice(rng.choice(seeds))
        new = mutate(old, others, rng)
        text = json.dumps([old, new], sort_keys=True)
        if text in seen or old == new:
            continue
        seen.add(text)
        print(json.dumps({"id": number, "old": old, "new": new}))
        number += 1


main()
