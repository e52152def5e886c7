{{/* Labels by which the operator's pods are chosen; they can't change between releases. */}}
{{- define "panosc.selector" -}}
app.kubernetes.io/name: panosc-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "panosc.labels" -}}
{{ include "panosc.selector" . }}
app.kubernetes.io/part-of: panosc
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The image called by the first item of the list; the second is the root context. */}}
{{- define "panosc.image" -}}
{{- $name := index . 0 -}}
{{- $root := index . 1 -}}
{{- required (printf "images.%s is not set: give the image's full reference, as `make install REGISTRY=…` does" $name) (index $root.Values.images $name) -}}
{{- end }}
