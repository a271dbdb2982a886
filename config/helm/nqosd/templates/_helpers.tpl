{{- define "nqosd.name" -}}
{{ if eq .Values.mode "central" }}nqosd-central{{ else }}nqosd{{ end }}
{{- end }}

{{- define "nqosd.labels" -}}
app.kubernetes.io/name: nqosd
app.kubernetes.io/component: {{ .Values.mode }}
{{- end }}

{{- define "nqosd.port" -}}
{{ regexFind "[0-9]+$" .listen }}
{{- end }}

{{- define "nqosd.probes" -}}
livenessProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  initialDelaySeconds: 10
  periodSeconds: 20
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: {{ . }}}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{- define "nqosd.confinement" -}}
image: {{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
volumeMounts:
- {name: config, mountPath: /etc/nqosd, readOnly: true}
{{- range $index, $folder := .Values.folders }}
- {name: folder-{{ $index }}, mountPath: {{ $folder }}, readOnly: true}
{{- end }}
{{- range .Values.secrets }}
- {name: {{ .name }}, mountPath: {{ .mountPath }}, readOnly: true}
{{- end }}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "nqosd.securityContext" -}}
# the sockets are root's alone; nothing else of root's power is kept
runAsUser: 0
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
seccompProfile: {type: RuntimeDefault}
{{- end }}
