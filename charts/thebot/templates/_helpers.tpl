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

{{- define "thebot.configName" -}}
{{- include "thebot.fullname" . }}-config
{{- end -}}

{{- define "thebot.secretName" -}}
{{- .Values.secrets.existingSecret | default (printf "%s-secrets" (include "thebot.fullname" .)) -}}
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
CELERY_BROKER_URL: {{ printf "%s://%s:%s/0" (include "thebot.redisScheme" .) (include "thebot.redisHost" .) (include "thebot.redisPort" .) | quote }}
CELERY_RESULT_BACKEND: {{ printf "%s://%s:%s/1" (include "thebot.redisScheme" .) (include "thebot.redisHost" .) (include "thebot.redisPort" .) | quote }}
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
Kubernetes puts it in from the Secret: in the ConfigMap it would stand in plain text. */}}
{{- define "thebot.environment" -}}
envFrom:
  - configMapRef:
      name: {{ include "thebot.configName" . }}
  - secretRef:
      name: {{ include "thebot.secretName" . }}
env:
  {{- include "thebot.environment.urls" . | nindent 2 }}
{{- end -}}

{{/* The same for the Jobs. As upgrade hooks they run before the new ConfigMap is there. */}}
{{- define "thebot.environment.job" -}}
{{- if .Release.IsUpgrade -}}
envFrom:
  - secretRef:
      name: {{ include "thebot.secretName" . }}
env:
  {{- range $name, $value := omit (include "thebot.config" . | fromYaml) "CELERY_BROKER_URL" "CELERY_RESULT_BACKEND" }}
  - name: {{ $name }}
    value: {{ $value | quote }}
  {{- end }}
  {{- include "thebot.environment.urls" . | nindent 2 }}
{{- else -}}
{{- include "thebot.environment" . -}}
{{- end -}}
{{- end -}}

{{- define "thebot.environment.urls" -}}
{{- $host := printf "%s:%s" (include "thebot.redisHost" .) (include "thebot.redisPort" .) -}}
- name: CELERY_BROKER_URL
  value: {{ printf "%s://:$(REDIS_PASSWORD)@%s/0" (include "thebot.redisScheme" .) $host | quote }}
- name: CELERY_RESULT_BACKEND
  value: {{ printf "%s://:$(REDIS_PASSWORD)@%s/1" (include "thebot.redisScheme" .) $host | quote }}
- name: HOME
  value: /tmp
- name: PYTHONDONTWRITEBYTECODE
  value: "1"
- name: PYTHONUNBUFFERED
  value: "1"
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

{{/* Waits until the schema is the one that this image needs, so that new code never meets an old database. */}}
{{- define "thebot.waitForMigrations" -}}
- name: wait-for-migrations
  image: {{ include "thebot.image" (dict "root" . "image" .Values.backend.image) }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [sh, -c, "until python manage.py migrate --check; do echo 'waiting for migrations'; sleep 3; done"]
  {{- include "thebot.environment" . | nindent 2 }}
  resources:
    {{- toYaml .Values.celeryBeat.resources | nindent 4 }}
  securityContext:
    {{- toYaml .Values.containerSecurityContext | nindent 4 }}
  volumeMounts:
    - name: tmp
      mountPath: /tmp
{{- end -}}

{{/* Pods */}}

{{/* What all pods have in common.
in: dict "root" $ "component" "backend" "shared" (whether it mounts the shared volumes) */}}
{{- define "thebot.podCommon" -}}
{{- $root := .root -}}
serviceAccountName: {{ include "thebot.serviceAccountName" $root }}
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
of the release; an upgrade migrates before the first new pod starts. in: a Job's block of the values, under "job" */}}
{{- define "thebot.jobAnnotations" -}}
{{- if .root.Release.IsUpgrade }}
helm.sh/hook: pre-upgrade
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
{{- with .job.annotations }}
{{ toYaml . }}
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
