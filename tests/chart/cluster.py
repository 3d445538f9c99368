"""An API server, and a stand-in for what a cluster has besides: controllers, nodes and a database.

`Cluster` is a small client. `Controllers` does in one namespace what Helm waits for: it starts Jobs and pods if everything that they name is
there, ends Jobs, and reports Deployments, StatefulSets and claims as ready. The image's tag says how a version behaves: the migration of a tag
that begins with `broken` fails, and pods of one that begins with `unready` never become ready.
"""
import base64
import hashlib
import http.client
import json
import ssl
import threading
import time
import traceback
import urllib.parse

# The API group of every kind that the chart makes, and its name in paths.
KINDS = {
    "ConfigMap": ("api/v1", "configmaps"),
    "Secret": ("api/v1", "secrets"),
    "Service": ("api/v1", "services"),
    "ServiceAccount": ("api/v1", "serviceaccounts"),
    "PersistentVolumeClaim": ("api/v1", "persistentvolumeclaims"),
    "Pod": ("api/v1", "pods"),
    "Deployment": ("apis/apps/v1", "deployments"),
    "ReplicaSet": ("apis/apps/v1", "replicasets"),
    "StatefulSet": ("apis/apps/v1", "statefulsets"),
    "Job": ("apis/batch/v1", "jobs"),
    "Ingress": ("apis/networking.k8s.io/v1", "ingresses"),
    "NetworkPolicy": ("apis/networking.k8s.io/v1", "networkpolicies"),
    "HorizontalPodAutoscaler": ("apis/autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": ("apis/policy/v1", "poddisruptionbudgets"),
}


class Refused(Exception):
    """The API server's answer to a request that it refuses."""

    def __init__(self, status, message):
        super().__init__("%d: %s" % (status, message))
        self.status = status


class Cluster:
    """A client of one API server. Threads may share it."""

    def __init__(self, server, token, ca_file, insecure):
        self.server = urllib.parse.urlsplit(server)
        self.token = token
        self.context = ssl.create_default_context(cafile=ca_file or None)
        if insecure:
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE

    def request(self, method, path, body=None, kind="application/json"):
        """The parsed answer. Raises Refused."""
        connection = http.client.HTTPSConnection(self.server.hostname, self.server.port or 443, context=self.context, timeout=60)
        try:
            headers = {"Authorization": "Bearer " + self.token, "Accept": "application/json", "Content-Type": kind}
            connection.request(method, "/" + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        finally:
            connection.close()
        if answer.status >= 300:
            try:
                text = json.loads(text).get("message", text)
            except ValueError:
                pass
            raise Refused(answer.status, text)
        return json.loads(text)


class Namespace:
    """The objects of one namespace."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name

    def path(self, kind, name="", subresource=""):
        group, plural = KINDS[kind]
        return "/".join(filter(None, (group, "namespaces", self.name, plural, name, subresource)))

    def list(self, kind):
        return self.cluster.request("GET", self.path(kind))["items"]

    def get(self, kind, name):
        """The object, or None."""
        try:
            return self.cluster.request("GET", self.path(kind, name))
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def create(self, kind, body, query=""):
        return self.cluster.request("POST", self.path(kind) + query, body)

    def patch(self, kind, name, body, subresource=""):
        return self.cluster.request("PATCH", self.path(kind, name, subresource), body, "application/merge-patch+json")

    def delete(self, kind, name):
        """Deletes an object at once, whatever finalizers it has."""
        try:
            self.cluster.request("DELETE", self.path(kind, name), {"propagationPolicy": "Background"})
            self.patch(kind, name, {"metadata": {"finalizers": None}})
        except Refused as refused:
            if refused.status != 404:
                raise

    def secret(self, name):
        """A Secret's decoded data; empty if there is no such Secret."""
        found = self.get("Secret", name) or {}
        return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}

    def make(self):
        """Makes the namespace, in which only pods of the restricted Pod Security Standard may start."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.cluster.request("POST", "api/v1/namespaces", {"metadata": {"name": self.name, "labels": labels}})

    def remove(self):
        """Deletes the namespace and all that is in it. Without its controller, a namespace stays until it is finalized."""
        for kind in KINDS:
            for found in self.list(kind):
                self.delete(kind, found["metadata"]["name"])
        path = "api/v1/namespaces/" + self.name
        self.cluster.request("DELETE", path)
        try:
            namespace = self.cluster.request("GET", path)
            namespace["spec"]["finalizers"] = []
            self.cluster.request("PUT", path + "/finalize", namespace)
        except Refused as refused:
            if refused.status != 404:
                raise


def selects(selector, labels):
    """Whether a label selector (matchLabels, matchExpressions with In) selects these labels."""
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", [])
    )


def may_connect(policies, source, target, ports):
    """Whether NetworkPolicies let pods with the labels `source` connect to pods with the labels `target`, at a port of which `ports` holds
    the number and the name. `source` None is a pod of another namespace, which every namespaceSelector is taken to select."""

    def passes(labels, direction, peers, other):
        rules = [p["spec"] for p in policies if labels is not None and selects(p["spec"]["podSelector"], labels)]
        rules = [r for r in rules if direction in r["policyTypes"]]
        if not rules:
            return True
        for rule in (rule for r in rules for rule in r.get(direction.lower(), [])):
            to = rule.get(peers)
            is_peer = not to or any(
                "namespaceSelector" in p if other is None else "podSelector" in p and selects(p["podSelector"], other) for p in to
            )
            if is_peer and (not rule.get("ports") or any(p["port"] in ports for p in rule["ports"])):
                return True
        return False

    return passes(source, "Egress", "to", target) and passes(target, "Ingress", "from", source)


class Controllers:
    """Plays the controllers, the nodes and the database of one namespace until it is stopped."""

    def __init__(self, namespace):
        self.namespace = namespace
        self.password = None  # of the database; the first pod of PostgreSQL sets it, as initdb does
        self.migrated = set()  # the versions whose migrations the database has
        self.runs = []  # one dict for each Job that ended
        self.refusals = {}  # why a pod does not start, for each "Kind/name"
        self.error = None  # what ended this thread
        self.pods = {}  # what the API server said of a pod, for each template
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopped.set()
        self.thread.join()

    def loop(self):
        while not self.stopped.is_set():
            try:
                for kind, act in (
                    ("PersistentVolumeClaim", self.claim),
                    ("StatefulSet", self.stateful_set),
                    ("HorizontalPodAutoscaler", self.autoscaler),
                    ("Deployment", self.deployment),
                    ("PodDisruptionBudget", self.budget),
                    ("Job", self.job),
                ):
                    for found in self.namespace.list(kind):
                        found["kind"] = kind  # items of a list don't have it
                        try:
                            act(found)
                        except Refused as refused:
                            # Helm may delete or change an object between our two requests.
                            if refused.status not in (404, 409):
                                raise
            except Exception:  # shown by the main thread
                self.error = traceback.format_exc()
                return
            self.stopped.wait(0.2)

    # Pods

    def refusal(self, found):
        """Why the API server or a node would not start this object's pod; None if they would."""
        template = found["spec"]["template"]
        key = json.dumps(template, sort_keys=True)
        if key not in self.pods:
            claims = [
                {"name": c["metadata"]["name"], "persistentVolumeClaim": {"claimName": c["metadata"]["name"]}}
                for c in found["spec"].get("volumeClaimTemplates", [])
            ]
            spec = dict(template["spec"], volumes=template["spec"].get("volumes", []) + claims)
            pod = {"metadata": dict(template["metadata"], name="try"), "spec": spec}
            try:
                self.namespace.create("Pod", pod, "?dryRun=All&fieldValidation=Strict")
                self.pods[key] = None
            except Refused as refused:
                self.pods[key] = str(refused)
        missing = [] if self.pods[key] is None else [self.pods[key]]
        for kind, name, keys in references(template["spec"]):
            there = self.namespace.get(kind, name)
            if there is None:
                missing.append("no %s %s" % (kind, name))
            missing += ["no %s in %s %s" % (k, kind, name) for k in keys if there and k not in there.get("data", {})]
        name = "%s/%s" % (found["kind"], found["metadata"]["name"])
        self.refusals[name] = "; ".join(missing)
        return self.refusals[name] or None

    def password_of(self, container):
        """DATABASE_PASSWORD as the container gets it; None if it does not use it."""
        for source in container.get("envFrom", []):
            if "secretRef" in source:
                return self.namespace.secret(source["secretRef"]["name"]).get("DATABASE_PASSWORD")
        for variable in container.get("env", []):
            if variable["name"] == "POSTGRES_PASSWORD":
                reference = variable["valueFrom"]["secretKeyRef"]
                return self.namespace.secret(reference["name"]).get(reference["key"])
        return None

    def reaches_database(self, labels):
        """Whether the network policies let pods with these labels connect to the bundled database."""
        policies = self.namespace.list("NetworkPolicy")
        database = dict(labels, **{"app.kubernetes.io/component": "postgresql"})
        return may_connect(policies, labels, database, (5432, "postgresql"))

    # Controllers

    def claim(self, found):
        if found["status"].get("phase") != "Bound":
            name = found["metadata"]["name"]
            self.namespace.patch("PersistentVolumeClaim", name, {"spec": {"volumeName": "volume-of-" + name}})
            self.namespace.patch("PersistentVolumeClaim", name, {"status": {"phase": "Bound"}}, "status")

    def stateful_set(self, found):
        replicas = found["spec"]["replicas"]
        if self.refusal(found):
            return
        given = self.password_of(found["spec"]["template"]["spec"]["containers"][0])
        if given is not None and self.password is None:
            self.password = given
        revision = digest(found["spec"]["template"])
        self.status(found, {
            "observedGeneration": found["metadata"]["generation"], "replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
            "currentReplicas": replicas, "updatedReplicas": replicas, "currentRevision": revision, "updateRevision": revision,
        })

    def autoscaler(self, found):
        target = found["spec"]["scaleTargetRef"]["name"]
        deployment = self.namespace.get("Deployment", target)
        low = found["spec"]["minReplicas"]
        if deployment and deployment["spec"]["replicas"] < low:
            self.namespace.patch("Deployment", target, {"spec": {"replicas": low}}, "scale")

    def budget(self, found):
        self.status(found, {
            "observedGeneration": found["metadata"]["generation"], "currentHealthy": 1, "desiredHealthy": 0, "expectedPods": 1,
            "disruptionsAllowed": 1,
        })

    def deployment(self, found):
        replicas, template = found["spec"]["replicas"], found["spec"]["template"]
        container = template["spec"]["containers"][0]
        tag = version(container)
        is_application = "envFrom" in container
        ready = not self.refusal(found) and not tag.startswith("unready")
        if ready and is_application:
            ready = tag in self.migrated and self.password_of(container) == self.password
        count = replicas if ready else 0
        self.replica_set(found, count)
        conditions = [
            {"type": "Available", "status": str(ready), "reason": "StandIn"},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable" if ready else "ReplicaSetUpdated"},
        ]
        self.status(found, {
            "observedGeneration": found["metadata"]["generation"], "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": count,
            "availableReplicas": count, "unavailableReplicas": replicas - count, "conditions": conditions,
        })

    def replica_set(self, deployment, ready):
        """Makes the ReplicaSet of a Deployment's template, and removes the others: Helm 3 asks it how many pods are ready."""
        meta, spec = deployment["metadata"], deployment["spec"]
        code = digest(spec["template"])
        labels = dict(spec["template"]["metadata"]["labels"], **{"pod-template-hash": code})
        name = "%s-%s" % (meta["name"], code)
        current = None
        for found in self.namespace.list("ReplicaSet"):
            owner = found["metadata"]["ownerReferences"][0]
            if owner["name"] != meta["name"]:
                continue
            if found["metadata"]["name"] == name and owner["uid"] == meta["uid"]:
                current = found
            else:
                self.namespace.delete("ReplicaSet", found["metadata"]["name"])
        if current is None:
            owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": meta["name"], "uid": meta["uid"], "controller": True}
            template = dict(spec["template"], metadata=dict(spec["template"]["metadata"], labels=labels))
            current = self.namespace.create("ReplicaSet", {
                "metadata": {"name": name, "labels": labels, "ownerReferences": [owner]},
                "spec": {"replicas": spec["replicas"], "selector": {"matchLabels": labels}, "template": template},
            })
        elif current["spec"]["replicas"] != spec["replicas"]:
            current = self.namespace.patch("ReplicaSet", name, {"spec": {"replicas": spec["replicas"]}})
        current["kind"] = "ReplicaSet"
        self.status(current, {
            "observedGeneration": current["metadata"]["generation"], "replicas": spec["replicas"], "readyReplicas": ready,
            "availableReplicas": ready,
        })

    def job(self, found):
        status, template = found["status"], found["spec"]["template"]
        if any(c["type"] in ("Complete", "Failed") for c in status.get("conditions", [])):
            return
        name, now = found["metadata"]["name"], time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if not status.get("startTime"):
            self.status(found, {"startTime": now, "active": 1, "ready": 0})
        labels, container = template["metadata"]["labels"], template["spec"]["containers"][0]
        if self.refusal(found) or not self.database_is_ready():
            return
        is_migration = "migrate" in container["command"]
        tag, given = version(container), self.password_of(container)
        problem = ""
        if is_migration and not self.reaches_database(labels):
            problem = "the network policies keep it from the database"
        elif is_migration and given != self.password:
            problem = "password authentication failed"
        elif is_migration and tag.startswith("broken"):
            problem = "the migration of %s is broken" % tag
        application = [d["spec"]["template"]["spec"]["containers"][0] for d in self.namespace.list("Deployment")]
        backend = dict(labels, **{"app.kubernetes.io/component": "backend"})
        self.runs.append({
            "job": name, "tag": tag, "problem": problem, "account": template["spec"]["serviceAccountName"],
            # What is true while the Job runs: the versions of the application, and whether its callers get through.
            "running": {version(c) for c in application if "envFrom" in c},
            "reached": may_connect(self.namespace.list("NetworkPolicy"), None, backend, (8000, "http")),
        })
        done = {"startTime": status.get("startTime", now), "active": 0, "ready": 0, "uncountedTerminatedPods": {}}
        if problem:
            conditions = (("FailureTarget", "BackoffLimitExceeded"), ("Failed", "BackoffLimitExceeded"))
            done["failed"] = 1
        else:
            conditions = (("SuccessCriteriaMet", "CompletionsReached"), ("Complete", "CompletionsReached"))
            done["succeeded"], done["completionTime"] = 1, now
            if is_migration:
                self.migrated.add(tag)
        done["conditions"] = [
            {"type": c, "status": "True", "reason": reason, "message": problem, "lastProbeTime": now, "lastTransitionTime": now}
            for c, reason in conditions
        ]
        self.status(found, done)

    def database_is_ready(self):
        database = [s for s in self.namespace.list("StatefulSet") if s["metadata"]["name"].endswith("-postgresql")]
        return all(s["status"].get("readyReplicas") for s in database)

    def status(self, found, status):
        """Sets an object's status, if it says something new."""
        if any(found["status"].get(key) != value for key, value in status.items()):
            self.namespace.patch(found["kind"], found["metadata"]["name"], {"status": status}, "status")


def references(pod):
    """(kind, name, needed keys) of all that a pod's specification names and a node needs before it starts the pod."""
    yield "ServiceAccount", pod["serviceAccountName"], []
    for volume in pod.get("volumes", []):
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"], []
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], []
    for container in pod.get("initContainers", []) + pod["containers"]:
        for source in container.get("envFrom", []):
            for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
                if field in source:
                    yield kind, source[field]["name"], []
        for variable in container.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference:
                yield "Secret", reference["name"], [reference["key"]]


def version(container):
    """The tag of a container's image."""
    return container["image"].rsplit(":", 1)[1]


def digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]
