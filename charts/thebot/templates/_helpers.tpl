{{/* Names */}}

{{- define "thebot.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 48 | trimSuffix "-" -}}
{{- end -}}

{{/* 48 characters leave room for the longest suffix within the 63 of a label. */}}
{{- define "thebot.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "thebot.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "thebot.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "thebot.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "thebot.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What the upgrade hooks need and an upgrade may change, they bring along under this name. */}}
{{- define "thebot.hookName" -}}
{{- include "thebot.fullname" . }}-hook
{{- end -}}

{{- define "thebot.configName" -}}
{{- include "thebot.fullname" . }}-config
{{- end -}}

{{- define "thebot.secretName" -}}
{{- .Values.secrets.existingSecret | default (printf "%s-secrets" (include "thebot.fullname" .)) -}}
{{- end -}}

{{/* The Secret's data: each value as it is given, or else as the cluster's Secret has it; what is needed and has
neither is made at random, or refused. in: dict "root" $ "generate" (whether something may be made) */}}
{{- define "thebot.secretData" -}}
{{- $root := .root -}}
{{- $name := include "thebot.secretName" $root -}}
{{- $stored := (lookup "v1" "Secret" $root.Release.Namespace $name).data | default dict -}}
{{- $needed := list "SECRET_KEY" "JWT_SECRET_KEY" "DATABASE_USER" "DATABASE_PASSWORD" "REDIS_PASSWORD" -}}
{{- /* A render without a cluster must not generate: it would make new secrets every time. */ -}}
{{- $generate := and .generate (eq (include "thebot.hasCluster" $root) "true") -}}
{{- range $key, $value := $root.Values.secrets.values }}
{{- if $value }}
{{ $key }}: {{ $value | toString | b64enc | quote }}
{{- else if get $stored $key }}
{{ $key }}: {{ get $stored $key | quote }}
{{- else if and $generate (has $key $needed) }}
{{- if not $root.Values.secrets.generate }}
{{- fail (printf "secrets.values.%s is empty, no Secret %s/%s holds it, and secrets.generate is off: name a Secret in secrets.existingSecret, or give the value in a file outside of the repository (-f)" $key $root.Release.Namespace $name) }}
{{- end }}
{{ $key }}: {{ randAlphaNum 50 | b64enc | quote }}
{{- else }}
{{ $key }}: ""
{{- end }}
{{- end }}
{{- end -}}

{{- define "thebot.backend.serviceName" -}}
{{- include "thebot.fullname" . }}-backend
{{- end -}}

{{- define "thebot.frontend.serviceName" -}}
{{- include "thebot.fullname" . }}-frontend
{{- end -}}

{{/* Workers have no Service; the name is their Deployment's. */}}
{{- define "thebot.celery.serviceName" -}}
{{- include "thebot.fullname" . }}-celery
{{- end -}}

{{- define "thebot.postgresql.serviceName" -}}
{{- include "thebot.fullname" . }}-postgresql
{{- end -}}

{{- define "thebot.redis.serviceName" -}}
{{- include "thebot.fullname" . }}-redis
{{- end -}}

{{- define "thebot.claimName.static" -}}
{{- .Values.persistence.static.existingClaim | default (printf "%s-static" (include "thebot.fullname" .)) -}}
{{- end -}}

{{- define "thebot.claimName.media" -}}
{{- .Values.persistence.media.existingClaim | default (printf "%s-media" (include "thebot.fullname" .)) -}}
{{- end -}}

{{/* Labels. Selectors never change after the first install, so nothing with a version is in them. */}}

{{- define "thebot.labels" -}}
helm.sh/chart: {{ include "thebot.chart" . }}
{{ include "thebot.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
environment: {{ .Values.environment | quote }}
{{- end -}}

{{- define "thebot.selectorLabels" -}}
app.kubernetes.io/name: {{ include "thebot.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "thebot.backend.selectorLabels" -}}
{{ include "thebot.selectorLabels" . }}
app.kubernetes.io/component: backend
{{- end -}}

{{- define "thebot.frontend.selectorLabels" -}}
{{ include "thebot.selectorLabels" . }}
app.kubernetes.io/component: frontend
{{- end -}}

{{- define "thebot.celery.selectorLabels" -}}
{{ include "thebot.selectorLabels" . }}
app.kubernetes.io/component: celery
{{- end -}}

{{- define "thebot.celeryBeat.selectorLabels" -}}
{{ include "thebot.selectorLabels" . }}
app.kubernetes.io/component: celery-beat
{{- end -}}

{{- define "thebot.postgresql.selectorLabels" -}}
{{ include "thebot.selectorLabels" . }}
app.kubernetes.io/component: postgresql
{{- end -}}

{{- define "thebot.redis.selectorLabels" -}}
{{ include "thebot.selectorLabels" . }}
app.kubernetes.io/component: redis
{{- end -}}

{{- define "thebot.migration.selectorLabels" -}}
{{ include "thebot.selectorLabels" . }}
app.kubernetes.io/component: migration
{{- end -}}

{{- define "thebot.collectstatic.selectorLabels" -}}
{{ include "thebot.selectorLabels" . }}
app.kubernetes.io/component: collectstatic
{{- end -}}

{{/* Connections */}}

{{- define "thebot.databaseHost" -}}
{{- if .Values.postgresql.enabled -}}
{{- include "thebot.postgresql.serviceName" . -}}
{{- else -}}
{{- required "externalDatabase.host is needed when postgresql.enabled is false" .Values.externalDatabase.host -}}
{{- end -}}
{{- end -}}

{{- define "thebot.databasePort" -}}
{{- ternary 5432 (int .Values.externalDatabase.port) .Values.postgresql.enabled -}}
{{- end -}}

{{- define "thebot.redisHost" -}}
{{- if .Values.redis.enabled -}}
{{- include "thebot.redis.serviceName" . -}}
{{- else -}}
{{- required "externalRedis.host is needed when redis.enabled is false" .Values.externalRedis.host -}}
{{- end -}}
{{- end -}}

{{- define "thebot.redisPort" -}}
{{- ternary 6379 (int .Values.externalRedis.port) .Values.redis.enabled -}}
{{- end -}}

{{- define "thebot.redisScheme" -}}
{{- ternary "redis" .Values.externalRedis.scheme .Values.redis.enabled -}}
{{- end -}}

{{/* Celery refuses a rediss URL that does not say how the server's certificate is checked.
in: dict "root" $ "password" "" (or ":...@") "database" 0 */}}
{{- define "thebot.redisUrl" -}}
{{- $scheme := include "thebot.redisScheme" .root -}}
{{- printf "%s://%s%s:%s/%d" $scheme .password (include "thebot.redisHost" .root) (include "thebot.redisPort" .root) (int .database) -}}
{{- if eq $scheme "rediss" -}}
{{- printf "?ssl_cert_reqs=%s" .root.Values.externalRedis.certificate -}}
{{- end -}}
{{- end -}}

{{- define "thebot.allowedHosts" -}}
{{- $hosts := list "localhost" (include "thebot.backend.serviceName" .) -}}
{{- if .Values.ingress.enabled -}}
{{- range .Values.ingress.hosts -}}
{{- $hosts = append $hosts .host -}}
{{- end -}}
{{- end -}}
{{- concat $hosts .Values.config.allowedHosts | uniq | join "," -}}
{{- end -}}

{{/* The ConfigMap's data; the upgrade hooks, which run before the new ConfigMap exists, carry it themselves. */}}
{{- define "thebot.config" -}}
DEBUG: {{ ternary "True" "False" .Values.config.debug | quote }}
ENVIRONMENT: {{ .Values.environment | quote }}
ALLOWED_HOSTS: {{ include "thebot.allowedHosts" . | quote }}
DATABASE_HOST: {{ include "thebot.databaseHost" . | quote }}
DATABASE_PORT: {{ include "thebot.databasePort" . | quote }}
DATABASE_NAME: {{ .Values.postgresql.database | quote }}
REDIS_HOST: {{ include "thebot.redisHost" . | quote }}
CELERY_BROKER_URL: {{ include "thebot.redisUrl" (dict "root" . "password" "" "database" 0) | quote }}
CELERY_RESULT_BACKEND: {{ include "thebot.redisUrl" (dict "root" . "password" "" "database" 1) | quote }}
LOG_LEVEL: {{ .Values.config.logLevel | quote }}
CACHE_TIMEOUT: {{ .Values.config.cacheTimeout | quote }}
{{- end -}}

{{/* Containers */}}

{{/* in: dict "root" $ "image" (an image block of the values) */}}
{{- define "thebot.image" -}}
{{- $registry := .image.registry | default .root.Values.image.registry -}}
{{- $name := printf "%s/%s" $registry .image.repository -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The environment of every container that runs the backend's image. The two URLs get the password here, where
Kubernetes puts it in from the Secret: in the ConfigMap it would stand in plain text.
in: dict "root" $ "own" (the component's block of the values) */}}
{{- define "thebot.environment" -}}
envFrom:
  - configMapRef:
      name: {{ include "thebot.configName" .root }}
  - secretRef:
      name: {{ include "thebot.secretName" .root }}
env:
  {{- include "thebot.variables" (dict "root" .root "own" .own "config" dict) | trim | nindent 2 }}
{{- end -}}

{{/* The same for the upgrade hooks, which run before the new ConfigMap and the new Secret are there. */}}
{{- define "thebot.environment.hook" -}}
envFrom:
  - secretRef:
      name: {{ .root.Values.secrets.existingSecret | default (include "thebot.hookName" .root) }}
env:
  {{- include "thebot.variables" (dict "root" .root "own" .own "config" (include "thebot.config" .root | fromYaml)) | trim | nindent 2 }}
{{- end -}}

{{/* Items of `env`: the chart's variables, then those of the values. Each name is there once, and the values win: what
Helm 4 applies is refused if a name occurs twice. in: as thebot.extraEnv, and "config" (a dict: what an item of `envFrom`
does not bring) */}}
{{- define "thebot.variables" -}}
{{- $variables := merge (dict "HOME" "/tmp" "PYTHONDONTWRITEBYTECODE" "1" "PYTHONUNBUFFERED" "1") .config -}}
{{- range $name, $database := dict "CELERY_BROKER_URL" 0 "CELERY_RESULT_BACKEND" 1 -}}
{{- $url := include "thebot.redisUrl" (dict "root" $.root "password" ":$(REDIS_PASSWORD)@" "database" $database) -}}
{{- $variables = set $variables $name $url -}}
{{- end -}}
{{- $extra := concat .root.Values.extraEnv .own.extraEnv | include "thebot.variableNames" | fromJsonArray -}}
{{- range $name, $value := $variables }}
{{- if not (has $name $extra) }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- with include "thebot.extraEnv" . }}
{{ . }}
{{- end }}
{{- end -}}

{{/* The variables of all pods and of a component, as items of `env`; the component's win.
in: dict "root" $ "own" (the component's block of the values) */}}
{{- define "thebot.extraEnv" -}}
{{- $own := include "thebot.variableNames" .own.extraEnv | fromJsonArray -}}
{{- $items := list -}}
{{- range .root.Values.extraEnv -}}
{{- if not (has .name $own) -}}
{{- $items = append $items . -}}
{{- end -}}
{{- end -}}
{{- with concat $items .own.extraEnv -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* The names of items of `env`, as a JSON list. in: the items */}}
{{- define "thebot.variableNames" -}}
{{- $names := list -}}
{{- range . -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- $names | toJson -}}
{{- end -}}

{{/* in: dict "root" $ "probe" (a probe block of the values) "path" */}}
{{- define "thebot.backend.probe" -}}
httpGet:
  path: {{ .path }}
  port: http
  # Django answers 400 to a Host that it doesn't know, as the pod's address, and redirects what isn't https.
  httpHeaders:
    - name: Host
      value: localhost
    - name: X-Forwarded-Proto
      value: https
{{ toYaml .probe }}
{{- end -}}

{{/* Waits until the schema is the one that this image needs, so that new code never meets an old database.
in: dict "root" $ "own" (the component's block of the values) */}}
{{- define "thebot.waitForMigrations" -}}
- name: wait-for-migrations
  image: {{ include "thebot.image" (dict "root" .root "image" .root.Values.backend.image) }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [sh, -c, "until python manage.py migrate --check; do echo 'waiting for migrations'; sleep 3; done"]
  {{- include "thebot.environment" . | nindent 2 }}
  resources:
    {{- toYaml .root.Values.celeryBeat.resources | nindent 4 }}
  securityContext:
    {{- toYaml .root.Values.containerSecurityContext | nindent 4 }}
  volumeMounts:
    - name: tmp
      mountPath: /tmp
{{- end -}}

{{/* Pods */}}

{{/* What all pods have in common.
in: dict "root" $ "component" "backend" "own" (its block of the values) "shared" (whether it mounts the shared volumes) "hook" (whether it is a hook) */}}
{{- define "thebot.podCommon" -}}
{{- $root := .root -}}
{{- $own := .own -}}
{{- $labels := include (printf "thebot.%s.selectorLabels" .component) $root | fromYaml -}}
{{- $isHook := and .hook $root.Values.serviceAccount.create -}}
serviceAccountName: {{ $isHook | ternary (include "thebot.hookName" $root) (include "thebot.serviceAccountName" $root) }}
automountServiceAccountToken: false
# Without this a Service named `redis` would set REDIS_PORT=tcp://... in every container.
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- $affinity := include "thebot.affinity" . }}
{{- if $affinity }}
affinity:
  {{- $affinity | nindent 2 }}
{{- end }}
{{- with $own.nodeSelector | default $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations | default $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.topologySpreadConstraints | default $root.Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{- merge (dict) . (dict "labelSelector" (hasKey . "labelSelector" | ternary (dict) (dict "matchLabels" $labels))) | toYaml | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* How pods are replaced. With hard anti-affinity a node holds one pod of a component, and there may be no node for
one more: the old pod goes first. */}}
{{- define "thebot.strategy" -}}
{{- $isHard := eq .Values.podAntiAffinity "hard" -}}
type: RollingUpdate
rollingUpdate:
  maxUnavailable: {{ $isHard | ternary 1 0 }}
  maxSurge: {{ $isHard | ternary 0 1 }}
{{- end -}}

{{/* in: as thebot.podCommon */}}
{{- define "thebot.affinity" -}}
{{- $root := .root -}}
{{- $labels := include (printf "thebot.%s.selectorLabels" .component) $root -}}
{{- $oneNode := and .shared (eq (include "thebot.oneNode" $root) "true") -}}
{{- if and $oneNode (eq $root.Values.podAntiAffinity "hard") -}}
{{- fail "podAntiAffinity: hard cannot be met while persistence uses ReadWriteOnce, which keeps the pods on one node: use ReadWriteMany, or podAntiAffinity: soft" -}}
{{- end -}}
{{- if $oneNode }}
# The shared volumes are ReadWriteOnce: all pods that mount them must be on the node that holds them.
podAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- include "thebot.selectorLabels" $root | nindent 10 }}
          thebot/shared-volumes: "true"
{{- else if eq $root.Values.podAntiAffinity "hard" }}
podAntiAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- $labels | nindent 10 }}
{{- else if eq $root.Values.podAntiAffinity "soft" }}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- $labels | nindent 12 }}
{{- end }}
{{- end -}}

{{/* Shared volumes */}}

{{/* "true" where a shared volume can be mounted on one node only */}}
{{- define "thebot.oneNode" -}}
{{- $oneNode := false -}}
{{- range $volume := list .Values.persistence.static .Values.persistence.media -}}
{{- if and $volume.enabled (eq $volume.accessMode "ReadWriteOnce") -}}
{{- $oneNode = true -}}
{{- end -}}
{{- end -}}
{{- $oneNode -}}
{{- end -}}

{{- define "thebot.sharedVolumes" -}}
- name: tmp
  emptyDir: {}
- name: static
  {{- if .Values.persistence.static.enabled }}
  persistentVolumeClaim:
    claimName: {{ include "thebot.claimName.static" . }}
  {{- else }}
  emptyDir: {}
  {{- end }}
- name: media
  {{- if .Values.persistence.media.enabled }}
  persistentVolumeClaim:
    claimName: {{ include "thebot.claimName.media" . }}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- end -}}

{{- define "thebot.sharedVolumeMounts" -}}
- name: tmp
  mountPath: /tmp
- name: static
  mountPath: /app/staticfiles
  readOnly: true
- name: media
  mountPath: /app/media
{{- end -}}

{{/* Hooks: the first install has nothing that a pre-install hook could use, so there the Job is an ordinary part
of the release; an upgrade migrates before the first new pod starts. The hook has a name of its own: Helm could not
roll back to an ordinary Job while a hook's Job of that name is there. */}}

{{/* in: the hook's weight */}}
{{- define "thebot.hookAnnotations" -}}
helm.sh/hook: pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* in: dict "job" (a Job's block of the values) "hook" (whether it is a hook) "weight" 0 */}}
{{- define "thebot.jobAnnotations" -}}
{{- if .hook }}
{{ include "thebot.hookAnnotations" .weight }}
{{- end }}
{{- with .job.annotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* An ordinary Job says itself which pods are its own. A rollback from an upgrade that failed meets the Job, which is not
in that upgrade's manifest, as it is in the cluster: Helm 3 then removes what only the cluster has, and a selector that
Kubernetes made cannot be removed. in: the Job's name */}}
{{- define "thebot.jobSelector" -}}
manualSelector: true
selector:
  matchLabels:
    job-name: {{ . }}
{{- end -}}

{{/* "true" where collectstatic is a hook: in an upgrade, unless the upgrade makes the claim that it writes to. */}}
{{- define "thebot.collectstatic.isHook" -}}
{{- if not .Release.IsUpgrade -}}
false
{{- else if lookup "v1" "PersistentVolumeClaim" .Release.Namespace (include "thebot.claimName.static" .) -}}
true
{{- else -}}
{{- include "thebot.hasCluster" . | eq "true" | ternary "false" "true" -}}
{{- end -}}
{{- end -}}

{{/* "true" where a cluster answers. The release's namespace may not exist yet (--create-namespace); `default` always
does. */}}
{{- define "thebot.hasCluster" -}}
{{- $found := lookup "v1" "ServiceAccount" .Release.Namespace "default" -}}
{{- if not $found -}}
{{- $found = lookup "v1" "Namespace" "" "default" -}}
{{- end -}}
{{- $found | empty | ternary "false" "true" -}}
{{- end -}}

{{/* Network policies */}}

{{/* What runs the backend's image, as a JSON list. */}}
{{- define "thebot.applicationComponents" -}}
{{- list "backend" "celery" "celery-beat" "migration" "collectstatic" | toJson -}}
{{- end -}}

{{/* The policy of some of these: no way in, and out to what the application needs.
in: dict "root" $ "components" (a JSON list) */}}
{{- define "thebot.applicationPolicy" -}}
{{- $root := .root -}}
podSelector:
  matchLabels:
    {{- include "thebot.selectorLabels" $root | nindent 4 }}
  matchExpressions:
    - key: app.kubernetes.io/component
      operator: In
      values: {{ .components }}
policyTypes: [Ingress, Egress]
egress:
  # DNS, wherever it is: the cluster's, or a cache on the node.
  - ports:
      - {protocol: UDP, port: 53}
      - {protocol: TCP, port: 53}
  {{- if $root.Values.postgresql.enabled }}
  - to:
      - podSelector:
          matchLabels:
            {{- include "thebot.postgresql.selectorLabels" $root | nindent 12 }}
    ports:
      - {protocol: TCP, port: 5432}
  {{- else }}
  - ports:
      - {protocol: TCP, port: {{ include "thebot.databasePort" $root }}}
  {{- end }}
  {{- if $root.Values.redis.enabled }}
  - to:
      - podSelector:
          matchLabels:
            {{- include "thebot.redis.selectorLabels" $root | nindent 12 }}
    ports:
      - {protocol: TCP, port: 6379}
  {{- else }}
  - ports:
      - {protocol: TCP, port: {{ include "thebot.redisPort" $root }}}
  {{- end }}
  {{- if and $root.Values.networkPolicy.egressPorts $root.Values.networkPolicy.egressTo }}
  - to:
      {{- toYaml $root.Values.networkPolicy.egressTo | nindent 6 }}
    ports:
      {{- range $root.Values.networkPolicy.egressPorts }}
      - {protocol: TCP, port: {{ . }}}
      {{- end }}
  {{- end }}
{{- end -}}

{{/* API versions, by the cluster's version: .Capabilities.APIVersions knows what Helm was built with when it renders
without a cluster, whatever --kube-version says. */}}

{{- define "thebot.autoscalingApiVersion" -}}
{{- ternary "autoscaling/v2" "autoscaling/v2beta2" (semverCompare ">=1.23-0" .Capabilities.KubeVersion.Version) -}}
{{- end -}}

{{- define "thebot.policyApiVersion" -}}
{{- ternary "policy/v1" "policy/v1beta1" (semverCompare ">=1.21-0" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
