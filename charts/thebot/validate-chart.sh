#!/usr/bin/env bash
# Validates this chart without a cluster and without Helm: its files, and what thebot-lint says of it in all
# environments. Exits 1 if a check fails, 2 if there is no thebot-lint.
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
  else
    echo "validate-chart.sh: thebot-lint is needed: install it, or name it in THEBOT_LINT" >&2
    return 1
  fi
}
linter=$(find_linter) || exit 2
environments=(default dev staging prod prod-example)

failed=0
indent() { while IFS= read -r line; do printf '          %s\n' "$line"; done <<< "$1"; }
check() { # check WHAT COMMAND...: runs the command, shows what it says
  local what=$1 output
  shift
  if output=$("$@" 2>&1); then
    printf 'ok      %s\n' "$what"
    if [ -n "$output" ]; then indent "$output"; fi
  else
    printf 'FAILED  %s\n' "$what"
    indent "$output"
    failed=$((failed + 1))
  fi
}

render() { # render ENVIRONMENT
  local values=()
  case $1 in
    default) ;;
    prod-example) values=(-f values-prod.yaml -f values-prod-example.yaml) ;;
    *) values=(-f "values-$1.yaml") ;;
  esac
  "$linter" template thebot . --namespace thebot "${values[@]}"
}

# Findings of the given rules and groups, in all environments. Groups also hold advice that fails nothing.
findings() {
  local found
  if ! found=$("$linter" --color never --format concise --select "$1" . 2>&1); then
    grep -vE '^[^ ]+: info\[' <<< "$found"
    return 1
  fi
  if [ -n "$found" ]; then echo "advice: $(grep -c 'info\[' <<< "$found")"; fi
}

files_exist() {
  local file missing=0
  for file in "$@"; do
    if [ ! -s "$file" ]; then echo "$file is missing or empty" && missing=1; fi
  done
  [ $missing = 0 ] && echo "$# files"
}

executable() {
  local file
  for file in "$@"; do
    [ -x "$file" ] || { echo "$file is not executable"; return 1; }
  done
}

kinds() { # every kind of the chart, with how many objects of it production has
  local rendered kind missing=0
  rendered=$(render prod) || { echo "$rendered"; return 1; }
  for kind in ConfigMap Secret ServiceAccount PersistentVolumeClaim Deployment StatefulSet Service Job Ingress \
    HorizontalPodAutoscaler PodDisruptionBudget NetworkPolicy; do
    if ! grep -q "^kind: $kind\$" <<< "$rendered"; then echo "no $kind" && missing=1; fi
  done
  grep '^kind: ' <<< "$rendered" | sort | uniq -c | awk '{printf "%s%s %s", sep, $1, $3; sep = ", "} END {print ""}'
  return $missing
}

environment_variables() { # ENVIRONMENT: the nine variables, in the ConfigMap
  local rendered name missing=0
  rendered=$(render "$1") || { echo "$rendered"; return 1; }
  for name in DEBUG ENVIRONMENT ALLOWED_HOSTS DATABASE_HOST REDIS_HOST CELERY_BROKER_URL CELERY_RESULT_BACKEND LOG_LEVEL CACHE_TIMEOUT; do
    if ! grep -q "^  $name: " <<< "$rendered"; then echo "$name is not set" && missing=1; fi
  done
  grep -E '^  (DEBUG|ENVIRONMENT|LOG_LEVEL): ' <<< "$rendered" | sed 's/^ *//'
  return $missing
}

secrets_hidden() { # the chart's own values files leave the Secret empty
  local environment rendered found=0
  for environment in "${environments[@]}"; do
    rendered=$(render "$environment") || { echo "$rendered"; return 1; }
    if grep -oE '^  (SECRET_KEY|JWT_SECRET_KEY|DATABASE_PASSWORD|REDIS_PASSWORD|EMAIL_HOST_PASSWORD|SENTRY_DSN): "[^"]' <<< "$rendered" | cut -d: -f1; then
      echo "of $environment: set in a values file of the chart"
      found=1
    fi
  done
  return $found
}

helpers() { # every helper that a template includes is defined
  local name missing=0
  while read -r name; do
    if ! grep -qF "define \"$name\"" templates/_helpers.tpl; then echo "$name is not defined" && missing=1; fi
  done < <(grep -rhoE 'include "[^"]+"' templates | cut -d'"' -f2 | sort -u)
  [ $missing = 0 ] && echo "$(grep -c '{{- define' templates/_helpers.tpl) helpers"
}

echo "thebot-lint: $linter"
check "chart files" files_exist Chart.yaml values.yaml values-dev.yaml values-staging.yaml values-prod.yaml \
  values-prod-example.yaml README.md install.sh validate-chart.sh test-helm-chart.sh
check "scripts are executable" executable install.sh validate-chart.sh test-helm-chart.sh
check "templates" files_exist templates/{_helpers.tpl,NOTES.txt} \
  templates/{namespace,configmap,secret,serviceaccount,pvc,ingress,network-policy,pdb-backend}.yaml \
  templates/{backend,frontend,celery,celery-beat}-deployment.yaml templates/{postgresql,redis}-statefulset.yaml \
  templates/{backend,frontend,postgresql,redis}-service.yaml templates/{migration,collectstatic}-job.yaml templates/upgrade-hooks.yaml \
  templates/hpa-{backend,frontend,celery}.yaml
check "Chart.yaml (group chart)" findings chart
check "values files (group values)" findings values
check "YAML and template syntax, rendering of every environment (group template)" findings template
check "objects are valid in every Kubernetes version (group kubernetes)" findings kubernetes
check "kinds of resources in production" kinds
for environment in "${environments[@]}"; do
  check "environment variables of $environment" environment_variables "$environment"
done
check "no secret in plain text" secrets_hidden
check "helper templates" helpers
check "probes (group probes)" findings probes
check "requests, limits, replicas and volumes of every environment (groups resources, environments)" findings resources,environments
check "security contexts (group security)" findings security
check "everything else that thebot-lint checks by default" "$linter" --color never --format concise .

if [ $failed != 0 ]; then
  echo "$failed checks failed"
  exit 1
fi
echo "all checks passed"
