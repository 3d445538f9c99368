#!/usr/bin/env bash
# Tests what this chart renders in each environment. helm and kubectl are used where they are installed; thebot-lint
# renders and judges everywhere. Exits 1 if a test fails, 2 if neither thebot-lint nor helm is there.
#
# thebot-lint is $THEBOT_LINT, the one in PATH, or the one of the repository around this chart (built with cargo).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2

find_linter() {
  if [ -n "${THEBOT_LINT:-}" ]; then
    echo "$THEBOT_LINT"
  elif command -v thebot-lint; then
    :
  elif command -v cargo > /dev/null && grep -qs '^name = "thebot-lint"' ../../Cargo.toml; then
    cargo build --release --quiet --manifest-path ../../Cargo.toml --bin thebot-lint >&2 || return
    echo "${CARGO_TARGET_DIR:-../../target}/release/thebot-lint"
  fi
}
linter=$(find_linter) || exit 2
helm=$(command -v "${HELM:-helm}")
kubectl=$(command -v kubectl)
[ -n "$linter$helm" ] || { echo "test-helm-chart.sh: thebot-lint or helm is needed" >&2; exit 2; }
environments=(default dev staging prod)
kubernetes=v1.37.0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0
pass() { printf 'ok      %s\n' "$1" && passed=$((passed + 1)); }
fail() { printf 'FAILED  %s\n' "$1" && failed=$((failed + 1)); }
skip() { printf 'skipped %s\n' "$1" && skipped=$((skipped + 1)); }
check() { # check WHAT COMMAND...: shows what the command says only if it fails
  local what=$1
  shift
  if "$@" > "$work/output" 2>&1; then
    pass "$what"
  else
    fail "$what"
    sed 's/^/          /' "$work/output"
  fi
}
equal() { # equal WHAT EXPECTED ACTUAL
  if [ "$2" = "$3" ]; then pass "$1: $3"; else fail "$1: $3, not $2"; fi
}

values_of() { # sets values=(-f FILE) for an environment
  values=()
  if [ "$1" != default ]; then values=(-f "values-$1.yaml"); fi
}

# One line an object: kind, name, and in what the object says of itself: replicas, minReplicas, maxReplicas, storage.
objects() {
  awk '
    function flush() { if (kind != "") print kind, name, replicas, low, high, storage; kind = ""; name = replicas = low = high = storage = "-" }
    BEGIN { flush() }
    /^---/ { flush() }
    /^kind: / { kind = $2 }
    /^  name: / && name == "-" { name = $2 }
    /^  replicas: / { replicas = $2 }
    /^  minReplicas: / { low = $2 }
    /^  maxReplicas: / { high = $2 }
    /^ +storage: / { storage = $2 }
    END { flush() }' "$work/$1.yaml"
}
field() { objects "$1" | awk -v kind="$2" -v name="$3" -v field="$4" '$1 == kind && $2 == name {print $field}'; }

echo "== Helm"
if [ -n "$helm" ]; then
  pass "helm: $("$helm" version --short)"
  for environment in "${environments[@]}"; do
    values_of "$environment"
    check "helm lint --strict, $environment" "$helm" lint --strict . "${values[@]}"
  done
  check "helm lint --strict, prod-example" "$helm" lint --strict . -f values-prod.yaml -f values-prod-example.yaml
else
  skip "helm is not installed; thebot-lint renders"
fi

echo "== thebot-lint"
if [ -n "$linter" ]; then
  check "thebot-lint, all environments" "$linter" --color never .
else
  skip "thebot-lint is not installed"
fi

echo "== Rendering"
# Helm 4 writes other empty lines than Helm 3.
as_helm=3
if [ -n "$helm" ] && [[ $("$helm" version --short) == v4* ]]; then as_helm=4; fi
for environment in "${environments[@]}"; do
  values_of "$environment"
  arguments=(thebot . --namespace thebot --kube-version "$kubernetes" "${values[@]}")
  if [ -n "$helm" ] && ! "$helm" template "${arguments[@]}" > "$work/helm-$environment.yaml" 2> "$work/output"; then
    fail "helm template, $environment"
    cat "$work/output"
  fi
  if [ -n "$linter" ] && ! "$linter" template --helm "$as_helm" "${arguments[@]}" > "$work/$environment.yaml" 2> "$work/output"; then
    fail "thebot-lint template, $environment"
    cat "$work/output"
  fi
  if [ -n "$helm" ] && [ -n "$linter" ]; then
    check "helm and thebot-lint render the same bytes, $environment" cmp "$work/helm-$environment.yaml" "$work/$environment.yaml"
  elif [ -n "$helm" ]; then
    cp "$work/helm-$environment.yaml" "$work/$environment.yaml"
  fi
  equal "objects without a name, $environment" 0 "$(objects "$environment" | awk '$2 == "-"' | wc -l)"
done

echo "== kubectl"
if [ -z "$kubectl" ]; then
  skip "kubectl is not installed; thebot-lint judges the objects"
elif ! "$kubectl" get --raw /version --request-timeout=5s > /dev/null 2>&1; then
  skip "kubectl reaches no cluster; thebot-lint judges the objects"
else
  for environment in "${environments[@]}"; do
    check "kubectl create --dry-run=client, $environment" \
      "$kubectl" create --dry-run=client --validate=true --filename "$work/$environment.yaml"
  done
fi

echo "== Required resources"
for object in ConfigMap/thebot-config Secret/thebot-secrets ServiceAccount/thebot PersistentVolumeClaim/thebot-static \
  PersistentVolumeClaim/thebot-media Deployment/thebot-backend Deployment/thebot-frontend Deployment/thebot-celery \
  Deployment/thebot-celery-beat StatefulSet/thebot-postgresql StatefulSet/thebot-redis Service/thebot-backend \
  Service/thebot-frontend Service/thebot-postgresql Service/thebot-redis Job/thebot-migration Job/thebot-collectstatic Ingress/thebot; do
  missing=""
  for environment in "${environments[@]}"; do
    [ -n "$(field "$environment" "${object%/*}" "${object#*/}" 2)" ] || missing+=" $environment"
  done
  if [ -z "$missing" ]; then pass "$object in every environment"; else fail "$object is missing in$missing"; fi
done
for object in HorizontalPodAutoscaler/thebot-backend PodDisruptionBudget/thebot-backend NetworkPolicy/thebot-application; do
  equal "$object in prod" "${object#*/}" "$(field prod "${object%/*}" "${object#*/}" 2)"
done

echo "== Replicas"
# Environment, then backend, frontend, celery (a number, or the autoscaler's range), celery-beat, postgresql, redis.
while read -r environment backend frontend celery beat postgresql redis; do
  for pair in "backend $backend" "frontend $frontend" "celery $celery"; do
    name=thebot-${pair% *}
    actual=$(field "$environment" Deployment "$name" 3)
    if [ "$actual" = - ]; then
      actual=$(field "$environment" HorizontalPodAutoscaler "$name" 4)-$(field "$environment" HorizontalPodAutoscaler "$name" 5)
    fi
    equal "$environment: ${pair% *}" "${pair#* }" "$actual"
  done
  equal "$environment: celery-beat" "$beat" "$(field "$environment" Deployment thebot-celery-beat 3)"
  equal "$environment: postgresql" "$postgresql" "$(field "$environment" StatefulSet thebot-postgresql 3)"
  equal "$environment: redis" "$redis" "$(field "$environment" StatefulSet thebot-redis 3)"
done << 'TABLE'
default 1 1 1 1 1 1
dev 1 1 1 1 1 1
staging 2-4 2-3 2-4 1 1 1
prod 3-10 3-5 3-8 2 1 1
TABLE

echo "== Environment variables"
while read -r environment debug name; do
  for variable in ALLOWED_HOSTS DATABASE_HOST REDIS_HOST CELERY_BROKER_URL CELERY_RESULT_BACKEND LOG_LEVEL CACHE_TIMEOUT; do
    check "$environment: $variable" grep "^  $variable: \"..*\"\$" "$work/$environment.yaml"
  done
  equal "$environment: DEBUG" "\"$debug\"" "$(awk '$1 == "DEBUG:" {print $2}' "$work/$environment.yaml")"
  equal "$environment: ENVIRONMENT" "\"$name\"" "$(awk '$1 == "ENVIRONMENT:" {print $2}' "$work/$environment.yaml")"
done << 'TABLE'
default False production
dev True development
staging False staging
prod False production
TABLE

echo "== Volumes"
while read -r environment postgresql redis static media; do
  equal "$environment: postgresql" "$postgresql" "$(field "$environment" StatefulSet thebot-postgresql 6)"
  equal "$environment: redis" "$redis" "$(field "$environment" StatefulSet thebot-redis 6)"
  equal "$environment: static files" "$static" "$(field "$environment" PersistentVolumeClaim thebot-static 6)"
  equal "$environment: media" "$media" "$(field "$environment" PersistentVolumeClaim thebot-media 6)"
done << 'TABLE'
default 10Gi 5Gi 2Gi 5Gi
dev 5Gi 2Gi 1Gi 2Gi
staging 20Gi 10Gi 5Gi 10Gi
prod 100Gi 50Gi 20Gi 100Gi
TABLE

echo "== Size of the manifests"
for environment in "${environments[@]}"; do
  printf '        %-8s %6d bytes, %3d objects\n' "$environment" "$(wc -c < "$work/$environment.yaml")" "$(objects "$environment" | wc -l)"
done
if [ "$(wc -c < "$work/prod.yaml")" -gt "$(wc -c < "$work/dev.yaml")" ]; then
  pass "prod has more than dev: autoscalers, network policies, a disruption budget"
else
  fail "prod renders no more than dev"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
