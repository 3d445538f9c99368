#!/usr/bin/env python3
"""Generate schemas/kubernetes.bin: every kind and field of Kubernetes 1.20 to 1.37, each with the
versions that have it.

    python3 -m pip download --no-deps -d PACKAGES kubernetes-validate==1.37.0
    python3 -m pip download --no-deps --no-binary :all: --no-build-isolation -d PACKAGES kubernetes-validate==1.24.1
    python3 schemas/generate.py PACKAGES [--review]

The input is the PyPI package kubernetes-validate (Apache-2.0). The wheel 1.37.0 contains the
OpenAPI definitions of Kubernetes 1.25 to 1.37, the source archive 1.24.1 those of 1.10 to 1.24. The
output depends only on them and on this file: the same input gives the same bytes. --review prints
which fields are still `required` after the corrections below.

The output is a set of flat tables that src/kubernetes/schema.rs reads in place, without decoding.
All numbers are little-endian. A "mask" is a set of versions: bit 0 is 1.20.

    header   magic "K8ST", u32 format = 1, then for each table in the order below: u32 offset, u32 count
    text     the bytes of all strings, concatenated
    strings  u32 start in text; one more entry than there are strings
    masks    u32
    types    u16 tag, u16 argument                      (TAGS below)
    lists    u16 list type (1 atomic, 2 set, 3 map), u16 number of keys, four u16 keys, u16 merge key
             (strings; 0xffff for none)
    fields   u16 name, u16 type, u16 mask, u16 mask of the versions that require it, u16 list (0xffff for none)
    defs     u16 name, u16 number of fields, u32 first field; fields are sorted by name, and a field with
             two types in different versions is in the table twice
    kinds    u16 kind, u16 group, u16 version, u16 definition, u16 mask, u16 mask of the versions that
             serve it by default, u16 flags (1: namespaced); sorted by kind, group, version
"""
import json
import re
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

OLDEST, NEWEST = 20, 37
OUT = Path(__file__).resolve().parent / "kubernetes.bin"

# The types of values that Go types decode from. src/kubernetes/schema.rs has the same list.
TAGS = {name: number for number, name in enumerate([
    "any",            # RawExtension, JSON, FieldsV1: any value, kept unchanged
    "bool", "int32", "int64", "float", "string",
    "bytes",          # []byte: base64
    "time",           # metav1.Time: RFC 3339
    "micro-time",     # metav1.MicroTime
    "quantity",       # string or number
    "int-or-string",
    "list",           # argument: type
    "map",            # argument: type of the values
    "object",         # argument: definition
    "schema-or-bool", "schema-or-array", "schema-or-strings",  # argument: the definition of JSONSchemaProps
])}

# Definitions whose Go type has a special decoder. Their schemas describe little of it, or are wrong
# (oneOf on quantities).
OWN_DECODER = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "micro-time",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "any",
}
for version in ("v1", "v1beta1"):
    package = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.%s." % version
    OWN_DECODER[package + "JSON"] = "any"
    OWN_DECODER[package + "JSONSchemaPropsOrBool"] = "schema-or-bool"
    OWN_DECODER[package + "JSONSchemaPropsOrArray"] = "schema-or-array"
    OWN_DECODER[package + "JSONSchemaPropsOrStringArray"] = "schema-or-strings"

# Kinds that cannot be created as objects.
NO_OBJECTS = {
    "DeleteOptions", "WatchEvent", "Status", "APIGroup", "APIVersions",   # part of the protocol
    "EphemeralContainers", "Scale", "TokenRequest",                       # subresources
    ("policy", "Eviction"),                                               # the subresource pods/eviction
}

CLUSTER_SCOPED = set("""
    APIService CSIDriver CSINode CertificateSigningRequest ClusterCIDR ClusterRole ClusterRoleBinding ClusterTrustBundle ComponentStatus
    CustomResourceDefinition DeviceClass DeviceTaintRule FlowSchema IPAddress IngressClass MutatingAdmissionPolicy
    MutatingAdmissionPolicyBinding MutatingWebhookConfiguration Namespace Node PersistentVolume PodSecurityPolicy PriorityClass
    PriorityLevelConfiguration ResourceClass ResourcePoolStatusRequest ResourceSlice RuntimeClass SelfSubjectAccessReview
    SelfSubjectReview SelfSubjectRulesReview ServiceCIDR StorageClass StorageVersion StorageVersionMigration SubjectAccessReview
    TokenReview ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration VolumeAttachment
    VolumeAttributesClass
""".split())

# The fields that are really required, for all versions of a group. Decoding requires no field; a
# missing one is an error only where the validation code refuses its zero value. The sources are the
# API reference and verdicts of kube-apiserver 1.37. All other fields that the schemas call required
# have a default or may be empty, for instance roleRef.apiGroup, PriorityClass.value,
# NetworkPolicy's podSelector, StatefulSet's serviceName, a sysctl's value, `served` of a CRD's
# version, and kind and name of a claim's dataSource (a reference that names nothing supported is
# dropped).
ENFORCED = {group + "." + line.split()[0]: line.split()[1:] for group, lines in {
    "meta": """
        LabelSelectorRequirement key operator
        OwnerReference apiVersion kind name uid
    """,
    "core": """
        AWSElasticBlockStoreVolumeSource volumeID
        AppArmorProfile type
        AzureDiskVolumeSource diskName diskURI
        AzureFilePersistentVolumeSource secretName shareName
        AzureFileVolumeSource secretName shareName
        CSIPersistentVolumeSource driver volumeHandle
        CSIVolumeSource driver
        CephFSPersistentVolumeSource monitors
        CephFSVolumeSource monitors
        CinderPersistentVolumeSource volumeID
        CinderVolumeSource volumeID
        ConfigMapKeySelector key
        Container name
        ContainerPort containerPort
        DownwardAPIVolumeFile path
        EndpointAddress ip
        EndpointPort port
        EnvVar name
        EphemeralContainer name
        FlexPersistentVolumeSource driver
        FlexVolumeSource driver
        GCEPersistentDiskVolumeSource pdName
        GRPCAction port
        GitRepoVolumeSource repository
        GlusterfsPersistentVolumeSource endpoints path
        GlusterfsVolumeSource endpoints path
        HTTPGetAction port
        HTTPHeader name
        HostAlias ip
        HostPathVolumeSource path
        ISCSIPersistentVolumeSource iqn targetPortal
        ISCSIVolumeSource iqn targetPortal
        KeyToPath key path
        LimitRangeItem type
        LocalVolumeSource path
        NFSVolumeSource path server
        NodeSelector nodeSelectorTerms
        NodeSelectorRequirement key operator
        ObjectFieldSelector fieldPath
        PersistentVolumeClaimVolumeSource claimName
        PhotonPersistentDiskVolumeSource pdID
        PodAffinityTerm topologyKey
        PodOS name
        PodReadinessGate conditionType
        PodResourceClaim name
        PodSchedulingGate name
        PodSpec containers
        PortworxVolumeSource volumeID
        PreferredSchedulingTerm weight
        RBDPersistentVolumeSource image monitors
        RBDVolumeSource image monitors
        ResourceClaim name
        ResourceFieldSelector resource
        ScopedResourceSelectorRequirement operator scopeName
        SeccompProfile type
        SecretKeySelector key
        ServiceAccountTokenProjection path
        ServicePort port
        Sysctl name
        TCPSocketAction port
        Taint effect key
        TopologySelectorLabelRequirement key values
        TopologySpreadConstraint maxSkew topologyKey whenUnsatisfiable
        Volume name
        VolumeDevice devicePath name
        VolumeMount mountPath name
        VsphereVirtualDiskVolumeSource volumePath
        WeightedPodAffinityTerm podAffinityTerm weight
    """,
    "apps": """
        ControllerRevision data
        DaemonSet spec
        DaemonSetSpec selector template
        Deployment spec
        DeploymentSpec selector template
        ReplicaSet spec
        ReplicaSetSpec selector
        StatefulSet spec
        StatefulSetSpec selector template
    """,
    "autoscaling": """
        ContainerResourceMetricSource container name target
        CrossVersionObjectReference kind name
        ExternalMetricSource metric target
        HPAScalingPolicy periodSeconds type value
        HorizontalPodAutoscaler spec
        HorizontalPodAutoscalerSpec maxReplicas scaleTargetRef
        MetricIdentifier name
        MetricSpec type
        MetricTarget type
        ObjectMetricSource describedObject metric target
        PodsMetricSource metric target
        ResourceMetricSource name target
    """,
    "batch": """
        CronJob spec
        CronJobSpec jobTemplate schedule
        JobSpec template
        PodFailurePolicyOnExitCodesRequirement operator values
        PodFailurePolicyOnPodConditionsPattern type
        PodFailurePolicyRule action
        SuccessPolicy rules
    """,
    "networking": """
        HTTPIngressPath backend pathType
        HTTPIngressRuleValue paths
        IPAddress spec
        IPAddressSpec parentRef
        IPBlock cidr
        IngressClassParametersReference kind name
        IngressServiceBackend name
        ParentReference name resource
    """,
    "extensions": """
        HTTPIngressPath backend
        HTTPIngressRuleValue paths
    """,
    "rbac": """
        ClusterRoleBinding roleRef
        PolicyRule verbs
        RoleBinding roleRef
        RoleRef kind name
        Subject kind name
    """,
    "storage": """
        CSINodeDriver name nodeID
        CSIStorageCapacity storageClassName
        StorageClass provisioner
        VolumeAttachment spec
        VolumeAttachmentSpec attacher nodeName source
        VolumeAttributesClass driverName
    """,
    "node": """
        RuntimeClass handler
    """,
    "admissionregistration": """
        AuditAnnotation key valueExpression
        MutatingWebhook admissionReviewVersions clientConfig name sideEffects
        Mutation patchType
        ServiceReference name namespace
        ValidatingAdmissionPolicyBinding spec
        ValidatingAdmissionPolicyBindingSpec policyName validationActions
        ValidatingWebhook admissionReviewVersions clientConfig name sideEffects
        Validation expression
        Variable expression name
    """,
    "apiextensions": """
        CustomResourceColumnDefinition JSONPath jsonPath name type
        CustomResourceDefinition spec
        CustomResourceDefinitionNames kind plural
        CustomResourceDefinitionSpec group names scope versions
        CustomResourceDefinitionVersion name
        CustomResourceSubresourceScale specReplicasPath statusReplicasPath
        SelectableField jsonPath
        ServiceReference name namespace
        ValidationRule rule
        WebhookConversion conversionReviewVersions
    """,
    "apiregistration": """
        APIServiceSpec groupPriorityMinimum versionPriority
    """,
    "certificates": """
        CertificateSigningRequest spec
        CertificateSigningRequestSpec request signerName
    """,
    "discovery": """
        Endpoint addresses
        EndpointSlice addressType
    """,
    "flowcontrol": """
        FlowSchema spec
        FlowSchemaSpec priorityLevelConfiguration
        GroupSubject name
        LimitResponse type
        NonResourcePolicyRule nonResourceURLs verbs
        PolicyRulesWithSubjects subjects
        PriorityLevelConfiguration spec
        PriorityLevelConfigurationReference name
        PriorityLevelConfigurationSpec type
        ResourcePolicyRule apiGroups resources verbs
        ServiceAccountSubject name namespace
        Subject kind
        UserSubject name
    """,
    "resource": """
        CELDeviceSelector expression
        DeviceRequest name
        DeviceSubRequest deviceClassName name
        ExactDeviceRequest deviceClassName
        OpaqueDeviceConfiguration driver parameters
    """,
}.items() for line in lines.strip().splitlines()}


def definitions(packages):
    """Read the wheel and the source archive. Returns {minor: {definition name: schema}}."""
    found = {}
    inside = re.compile(r"kubernetes-json-schema/v1\.(\d+)\.0-local/_definitions\.json$")

    def take(name, read):
        m = inside.search(name)
        if m and OLDEST <= int(m.group(1)) <= NEWEST:
            document = json.loads(read())
            found.setdefault(int(m.group(1)), document.get("$defs") or document["definitions"])

    for wheel in sorted(packages.glob("kubernetes_validate-*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                take(name, lambda: archive.read(name))
    for source in sorted(packages.glob("kubernetes-validate-*.tar.gz")):
        with tarfile.open(source) as archive:
            for member in archive:
                take(member.name, lambda: archive.extractfile(member).read())
    missing = [m for m in range(OLDEST, NEWEST + 1) if m not in found]
    if missing:
        sys.exit("generate.py: %s has no definitions of Kubernetes %s" % (packages, ", ".join("1.%d" % m for m in missing)))
    return found


def plain(kind):
    """The type name in a schema's `type`, which may be a list with "null"."""
    return next(t for t in kind if t != "null") if isinstance(kind, list) else kind


def short(name):
    """Shorten io.k8s.api.apps.v1.DeploymentSpec to apps.v1.DeploymentSpec."""
    return re.sub(r"^(io\.k8s\.(api|apimachinery\.pkg(\.apis)?|[a-z-]+\.pkg\.apis))\.", "", name)


class Type(tuple):
    """(tag, argument). The argument is a Type, the name of a definition, or None."""


def type_of(schema):
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        own = OWN_DECODER.get(name)
        if own is None:
            return Type(("object", name))
        if own.startswith("schema-or-"):
            return Type((own, re.sub(r"JSONSchemaPropsOr\w+$", "JSONSchemaProps", name)))
        return Type((own, None))
    kind, form = plain(schema.get("type")), schema.get("format")
    if kind == "array":
        return Type(("list", type_of(schema["items"])))
    if kind == "object":
        values = schema.get("additionalProperties")
        return Type(("map", type_of(values))) if isinstance(values, dict) else Type(("map", Type(("any", None))))
    simple = {
        ("string", None): "string", ("string", "byte"): "bytes", ("string", "date-time"): "time", ("boolean", None): "bool",
        ("integer", "int32"): "int32", ("integer", "int64"): "int64", ("integer", None): "int64", ("number", "double"): "float", ("number", None): "float",
    }
    if kind is None:
        return Type(("any", None))
    return Type((simple[kind, form], None))


def list_of(schema):
    """Returns (list type, keys, merge key), or None if the schema has none of them."""
    kind = {"atomic": 1, "set": 2, "map": 3}.get(schema.get("x-kubernetes-list-type"), 0)
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    merge = schema.get("x-kubernetes-patch-merge-key")
    return (kind, keys, merge) if kind or merge else None


def bit(minor):
    return 1 << (minor - OLDEST)


def collect(found):
    """Merge the definitions and kinds of all versions. Returns
    {name: {field: {type: [mask, required mask, list]}}} and {(kind, group, version): [name, mask]}."""
    defs, kinds = {}, {}
    for minor in sorted(found):
        document = found[minor]
        wanted = []
        for name, schema in document.items():
            for gvk in schema.get("x-kubernetes-group-version-kind") or []:
                kind, group = gvk["kind"], gvk["group"]
                if kind in NO_OBJECTS or (group, kind) in NO_OBJECTS or kind.endswith("List"):
                    continue
                entry = kinds.setdefault((kind, group, gvk["version"]), [name, 0])
                assert entry[0] == name, (gvk, entry, name)
                entry[1] |= bit(minor)
                wanted.append(name)
        seen = set()
        while wanted:
            name = wanted.pop()
            if name in seen:
                continue
            seen.add(name)
            schema = document[name]
            fields = defs.setdefault(name, {})
            for field, sub in (schema.get("properties") or {}).items():
                kind = type_of(sub)
                entry = fields.setdefault(field, {}).setdefault(kind, [0, 0, None])
                entry[0] |= bit(minor)
                if field in (schema.get("required") or ()):
                    entry[1] |= bit(minor)
                entry[2] = list_of(sub) or entry[2]
                inner = kind
                while isinstance(inner, Type):
                    inner = inner[1]
                if inner is not None:
                    wanted.append(inner)
    return defs, kinds


def correct(defs):
    """Clear the required mask of fields that the server does not enforce."""
    for name, fields in defs.items():
        kept = ENFORCED.get(re.sub(r"\.v\d\w*\.", ".", short(name)), ())
        for field, types in fields.items():
            for entry in types.values():
                if field not in kept:
                    entry[1] = 0


def served_by_default(kinds):
    """Returns {(kind, group, version): mask}. Stable versions are always served, alpha versions never.
    Beta versions are served for kinds that had one by 1.23; since 1.24 new ones are off by default
    (KEP-3136)."""
    old_betas = {(k, g) for (k, g, v), (_, mask) in kinds.items() if "beta" in v and mask & (bit(24) - 1)}
    return {
        (k, g, v): 0 if "alpha" in v or ("beta" in v and (k, g) not in old_betas) else mask
        for (k, g, v), (_, mask) in kinds.items()
    }


class Table:
    """Interned values, numbered in the order of their first use."""

    def __init__(self):
        self.index = {}

    def __call__(self, value):
        return self.index.setdefault(value, len(self.index))

    def __iter__(self):
        return iter(self.index)

    def __len__(self):
        return len(self.index)


def pack(defs, kinds):
    names = sorted(defs)
    number = {name: i for i, name in enumerate(names)}
    strings, masks, types, lists = Table(), Table(), Table(), Table()
    none = 0xFFFF

    def type_index(kind):
        tag, argument = kind
        value = 0 if argument is None else type_index(argument) if isinstance(argument, Type) else number[argument]
        return types((TAGS[tag], value))

    field_rows, def_rows = [], []
    for name in names:
        first = len(field_rows)
        for field in sorted(defs[name]):
            for kind, (mask, required, items) in sorted(defs[name][field].items(), key=lambda e: e[1][0]):
                place = none if items is None else lists((items[0], tuple(map(strings, items[1])), none if items[2] is None else strings(items[2])))
                field_rows.append((strings(field), type_index(kind), masks(mask), masks(required), place))
        def_rows.append((strings(short(name)), len(field_rows) - first, first))
    served = served_by_default(kinds)
    kind_rows = [
        (strings(kind), strings(group), strings(version), number[name], masks(mask), masks(served[kind, group, version]), int(kind not in CLUSTER_SCOPED))
        for (kind, group, version), (name, mask) in sorted(kinds.items())
    ]
    text = [s.encode() for s in strings]
    starts = [sum(map(len, text[:i])) for i in range(len(text) + 1)]
    list_rows = [(kind, len(keys), *(keys + (none,) * 4)[:4], merge) for kind, keys, merge in lists]
    assert all(len(t) < none for t in (strings, masks, types, lists, names)) and all(len(keys) <= 4 for _, keys, _ in lists)
    tables = [
        (b"".join(text), sum(map(len, text))),
        *((b"".join(struct.pack(form, *row) for row in rows), len(rows)) for form, rows in [
            ("<I", [(s,) for s in starts]),
            ("<I", [(m,) for m in masks]),
            ("<HH", list(types)),
            ("<HHHHHHH", list_rows),
            ("<HHHHH", field_rows),
            ("<HHI", def_rows),
            ("<HHHHHHH", kind_rows),
        ]),
    ]
    header, body, at = b"", b"", 8 + 8 * len(tables)
    for data, count in tables:
        header += struct.pack("<II", at + len(body), count)
        body += data
    return b"K8ST" + struct.pack("<I", 1) + header + body


def review(defs):
    for name in sorted(defs):
        kept = [f for f, types in sorted(defs[name].items()) if any(e[1] for e in types.values())]
        if kept:
            print(short(name), *kept)


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    if len(arguments) != 1:
        sys.exit(__doc__)
    defs, kinds = collect(definitions(Path(arguments[0])))
    if "--review-all" in sys.argv:
        return review(defs)
    correct(defs)
    if "--review" in sys.argv:
        return review(defs)
    OUT.write_bytes(pack(defs, kinds))
    print("%s: %d kinds, %d definitions, %d bytes" % (OUT.name, len(kinds), len(defs), OUT.stat().st_size))


if __name__ == "__main__":
    main()
