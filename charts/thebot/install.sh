#!/usr/bin/env bash
# Installs THE_BOT or upgrades it.
#
#   install.sh ENVIRONMENT [DRY_RUN] [HELM ARGUMENTS...]
#
# ENVIRONMENT is dev, staging or prod; DRY_RUN is true or false (default). A dry run shows what would be installed and
# changes nothing; it asks the cluster what it holds if one answers, and needs none. What follows goes to helm as it is:
#   install.sh prod false -f values-prod-secrets.yaml
# RELEASE, NAMESPACE and TIMEOUT, from the environment, override the release (thebot), its namespace (thebot,
# thebot-staging, thebot-prod) and the time to wait (10m).
set -euo pipefail

case ${1:-} in
  -h | --help | help)
    sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
    exit
    ;;
esac

say() { printf '==> %s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 2; }

[ $# -ge 1 ] || fail "which environment? install.sh dev|staging|prod [true|false] [helm arguments...]"
environment=$1
dry_run=${2:-false}
shift $(($# > 1 ? 2 : 1))

case $environment in
  dev) namespace=thebot ;;
  staging | prod) namespace=thebot-$environment ;;
  *) fail "there is no environment '$environment': dev, staging or prod" ;;
esac
case $dry_run in
  true | false) ;;
  *) fail "the dry run is true or false, not '$dry_run'" ;;
esac

release=${RELEASE:-thebot}
namespace=${NAMESPACE:-$namespace}
chart=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
values=(--namespace "$namespace" --values "$chart/values-$environment.yaml")
arguments=("${values[@]}" "$@")

say "Prerequisites"
tools=(helm kubectl)
if [ "$dry_run" = true ]; then tools=(helm); fi
for tool in "${tools[@]}"; do
  command -v "$tool" > /dev/null || fail "$tool is not installed"
  echo "$tool: $(command -v "$tool")"
done

say "Chart"
# Without what else goes to helm: `helm lint` does not know all flags of an install.
helm lint --strict "$chart" "${values[@]}"

# An install and an upgrade differ: only an upgrade can migrate before the new pods start.
verb=install
if helm status "$release" --namespace "$namespace" > /dev/null 2>&1; then verb=upgrade; fi

if [ "$dry_run" = true ]; then
  # `helm list` fails where no cluster answers. With one, secrets that it holds are looked up and kept.
  if helm list --namespace "$namespace" > /dev/null 2>&1; then
    say "Dry run: helm $verb $release in namespace $namespace"
    helm "$verb" "$release" "$chart" "${arguments[@]}" --dry-run=server
  else
    say "Dry run without a cluster: what an install of $release renders"
    helm template "$release" "$chart" "${arguments[@]}"
  fi
  say "Nothing was changed"
  exit
fi

context=$(kubectl config current-context 2> /dev/null || true)
kubectl get --raw /version > /dev/null 2>&1 || fail "the cluster of context '$context' does not answer"
echo "cluster: $context"

say "Namespace $namespace"
if kubectl get namespace "$namespace" > /dev/null 2>&1; then
  echo "exists"
else
  kubectl create namespace "$namespace"
  kubectl label namespace "$namespace" pod-security.kubernetes.io/enforce=restricted
fi

say "helm $verb $release in namespace $namespace"
helm "$verb" "$release" "$chart" "${arguments[@]}" --wait --timeout "${TIMEOUT:-10m}"

say "Status"
kubectl get deployments,statefulsets,jobs,pods --namespace "$namespace" --selector "app.kubernetes.io/instance=$release"

say "Access"
kubectl get ingress --namespace "$namespace" --selector "app.kubernetes.io/instance=$release"
services() {
  kubectl get services --namespace "$namespace" --output jsonpath='{range .items[*]}{.metadata.name}{" "}{.spec.ports[0].port}{"\n"}{end}' \
    --selector "app.kubernetes.io/instance=$release,app.kubernetes.io/component=$1"
}
echo "Without an Ingress controller:"
for component in "frontend 8080" "backend 8000"; do
  read -r name port <<< "$(services "${component% *}")"
  echo "  kubectl port-forward --namespace $namespace service/$name ${component#* }:$port"
done
