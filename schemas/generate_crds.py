#!/usr/bin/env python3
"""Generate schemas/crds.bin: the schemas of the custom resources that most clusters have.

    python3 schemas/generate_crds.py TREES

Needs git and PyYAML. The input is schemas/crds.txt, the list of projects with a release of each. TREES
is a folder for their files; what it does not contain yet is fetched from GitHub. To take a newer
release, change its row in the list, and run this again. The output depends only on the list and on this
file.

Kept are the parts of a schema that src/kubernetes/crd.rs and crd_rules.rs read. Descriptions are not,
and neither is `status`, which nobody writes into a manifest.

The output, which src/kubernetes/builtin_crds.rs reads:

    header    magic "CRDS", u32 format = 1, u32 length of the index
    index     text, one line for each kind in one API version, sorted, with the fields separated by tabs:
              apiVersion, kind, project, version of the project, start and length of the schema
    schemas   each one is the openAPIV3Schema as JSON, compressed with raw deflate; equal ones are there once
"""
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
LIST, OUT = HERE / "crds.txt", HERE / "crds.bin"

# The keywords whose value is kept unchanged.
PLAIN = {
    "type", "format", "required", "enum", "default", "nullable", "pattern", "uniqueItems", "multipleOf",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems",
    "minProperties", "maxProperties", "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
}
# The keywords whose value is a schema, a list of schemas, or a map of schemas.
ONE, MANY, NAMED = {"items", "additionalProperties", "not"}, {"allOf", "anyOf", "oneOf"}, {"properties"}



class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Reads YAML as Kubernetes does, for which a plain `=` is a string."""


Loader.add_constructor("tag:yaml.org,2002:value", Loader.construct_yaml_str)


def projects():
    """The rows of the list: project, repository, tag, version, patterns of files."""
    for line in LIST.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            project, repository, tag, version, files = (part.strip() for part in line.split("|"))
            yield project, repository, tag, version, files.split()


def tree(trees, repository, tag, patterns):
    """The folder with the files of a release. Fetches them if the folder is not there."""
    folder = trees / ("%s@%s" % (repository.replace("/", "+"), tag.replace("/", "-")))
    if not folder.exists():
        print("fetching %s %s" % (repository, tag), file=sys.stderr)
        git = ["git", "-c", "advice.detachedHead=false"]
        partial = ["--quiet", "--depth=1", "--filter=blob:none", "--sparse", "--branch", tag]
        subprocess.run(git + ["clone"] + partial + ["https://github.com/" + repository, str(folder)], check=True)
        subprocess.run(git + ["-C", str(folder), "sparse-checkout", "set", "--no-cone"] + ["/" + p for p in patterns], check=True)
    return folder


def definitions(folder, patterns):
    """The CustomResourceDefinitions in the files, in the order of their names."""
    for pattern in patterns:
        files = sorted(folder.glob(pattern))
        if not files:
            sys.exit("generate_crds.py: %s has no %s" % (folder, pattern))
        for file in files:
            for document in yaml.load_all(file.read_text(), Loader):
                if isinstance(document, dict) and document.get("kind") == "CustomResourceDefinition":
                    yield document


def compact(schema):
    """A schema without what no check reads."""
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key in PLAIN:
            kept[key] = value
        elif key in ONE:
            kept[key] = compact(value)
        elif key in MANY:
            kept[key] = [compact(one) for one in value or []]
        elif key in NAMED:
            kept[key] = {name: compact(one) for name, one in (value or {}).items()}
        elif key == "x-kubernetes-validations":
            # Transition rules say nothing about a new object.
            rules = [{"rule": rule["rule"].strip()} for rule in value if "oldSelf" not in rule["rule"]]
            if rules:
                kept[key] = rules
    return kept


def of_object(schema):
    """The schema of a whole object, with any status, and without what every object has."""
    schema = compact(schema)
    properties = schema.get("properties", {})
    for name in ("apiVersion", "kind"):
        properties.pop(name, None)
    if set(properties.get("metadata", {})) <= {"type"}:
        properties.pop("metadata", None)
    if "status" in properties:
        properties["status"] = {"x-kubernetes-preserve-unknown-fields": True}
    if "required" in schema:
        everywhere = {"apiVersion", "kind", "metadata", "status"}
        schema["required"] = [name for name in schema["required"] if name not in everywhere]
    return schema


def kinds(definition):
    """The kinds that a definition serves: (apiVersion, kind, schema)."""
    spec = definition["spec"]
    for version in spec["versions"]:
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if version["served"] and schema:
            yield "%s/%s" % (spec["group"], version["name"]), spec["names"]["kind"], of_object(schema)


def deflated(schema):
    text = json.dumps(schema, separators=(",", ":"), ensure_ascii=False, default=str).encode()
    work = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return work.compress(text) + work.flush()


def main(trees):
    found = {}
    for project, repository, tag, version, patterns in projects():
        new = 0
        for definition in definitions(tree(trees, repository, tag, patterns), patterns):
            for api_version, kind, schema in kinds(definition):
                if (api_version, kind) not in found:
                    found[api_version, kind] = project, version, deflated(schema)
                    new += 1
        print("%4d kinds: %s %s" % (new, project, version))
    starts, schemas, index = {}, bytearray(), []
    for (api_version, kind), (project, version, schema) in sorted(found.items()):
        if schema not in starts:
            starts[schema] = len(schemas)
            schemas += schema
        index.append("\t".join((api_version, kind, project, version, str(starts[schema]), str(len(schema)))) + "\n")
    index = "".join(index).encode()
    OUT.write_bytes(b"CRDS" + struct.pack("<II", 1, len(index)) + index + schemas)
    print("%d kinds, %d bytes" % (len(found), OUT.stat().st_size))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
