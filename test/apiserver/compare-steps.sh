# The steps of compare.sh; each prints its name and what kubectl says. HOME, KUBECONFIG and WORK are set.
cd "$WORK" || exit 1

k() { kubectl --request-timeout=20s "$@"; }
step() {
	echo "## $*"
	"$@" 2>&1
}
show() { step k get "$@" -o yaml --show-managed-fields; }
# An editor that replaces text: edit 's/a/b/' kind/name.
edit() {
	printf '#!/bin/sh\nsed -i "%s" "$1"\n' "$1" >"$WORK/editor"
	chmod +x "$WORK/editor"
	EDITOR=$WORK/editor k edit "${@:2}"
}

cat >base.yaml <<'Y'
apiVersion: v1
kind: ConfigMap
metadata:
  name: c1
  labels: {app: a}
data: {a: "1", b: "2"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1.2
        ports: [{containerPort: 80}]
        env: [{name: A, value: x}, {name: B, value: "y"}]
        readinessProbe: {httpGet: {path: /, port: 80}}
      volumes: [{name: v, configMap: {name: c1}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, name: http}]}
---
apiVersion: v1
kind: Secret
metadata: {name: s1}
stringData: {p: q}
Y
cat >crd.yaml <<'Y'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            x-kubernetes-validations:
            - {rule: "self.mode != 'big' || self.size > 5", message: "big needs a size over 5"}
            properties:
              size: {type: integer, minimum: 1, maximum: 10}
              mode: {type: string, enum: [small, big], default: small}
              interval: {type: string, pattern: '^[0-9]+m$'}
              nested: {type: object, properties: {a: {type: string, default: x}}}
              items:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, required: [name], properties: {name: {type: string}, value: {type: string}}}
              tags: {type: array, maxItems: 2, items: {type: string}}
          status:
            type: object
            properties:
              observedGeneration: {type: integer}
              conditions:
                type: array
                items: {type: object, properties: {type: {type: string}, status: {type: string}}}
Y
widget() { printf 'apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: %s}\nspec: %s\n' "$1" "$2"; }

step k create namespace t
kubectl config set-context --current --namespace t >/dev/null
step k apply -f base.yaml
step k apply -f base.yaml
show cm c1
show deploy web
show svc web
show secret s1
step k get cm c1 --show-labels
step k get svc web
step k apply --server-side -f base.yaml
step k apply --server-side --force-conflicts -f base.yaml
show cm c1
sed 's/a: "1"/a: "9"/' base.yaml >changed.yaml
step k apply --server-side --field-manager other -f changed.yaml
step k apply --server-side --field-manager other --force-conflicts -f changed.yaml
show cm c1
show deploy web
step k annotate cm c1 note=one
step k annotate cm c1 note=two
step k annotate --overwrite cm c1 note=two
step k label cm c1 app-
step k patch cm c1 -p '{"data":{"c":"3"}}'
step k patch cm c1 --type json -p '[{"op":"remove","path":"/data/c"},{"op":"add","path":"/data/d","value":"4"}]'
step k patch cm c1 --type json -p '[{"op":"remove","path":"/data/nope"}]'
step k patch cm c1 --type json -p '[{"op":"test","path":"/data/d","value":"5"}]'
step k patch cm c1 --type merge -p '{"data":{"d":null}}'
step k patch deploy web -p '{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"B","value":"z"}]},{"name":"side","image":"s"}]}}}}'
step k get deploy web -o jsonpath='{.spec.template.spec.containers}'
step k patch deploy web -p '{"spec":{"template":{"spec":{"containers":[{"name":"side","$patch":"delete"}]}}}}'
step k get deploy web -o jsonpath='{.spec.template.spec.containers[*].name} {.metadata.generation}'
step edit s/nginx:1.2/nginx:1.3/ deploy/web
step k get deploy web -o jsonpath='{.spec.template.spec.containers[0].image} {.metadata.generation}'
step k set image deploy/web web=nginx:1.4
step k patch deploy web -p '{"spec":{"selector":{"matchLabels":{"app":"other"}}}}'
step k patch deploy web --type json -p '[{"op":"replace","path":"/spec/selector/matchLabels","value":{"app":"other"}},{"op":"replace","path":"/spec/template/metadata/labels","value":{"app":"other"}}]'
step k patch secret s1 -p '{"type":"x"}'
step k patch cm c1 -p '{"immutable":true}'
step k patch cm c1 -p '{"data":{"a":"5"}}'
step k get cm nope
step k get nope
step k create cm c1
step k create cm Bad_Name
step k create cm x -n missing
step k label cm c1 'bad=a b'
sed 's/replicas: 0/replicas: many/' base.yaml >badtype.yaml
step k apply -f badtype.yaml
sed 's/replicas: 0/replica: 0/' base.yaml >unknown.yaml
step k apply -f unknown.yaml
step k apply --validate=false -f unknown.yaml
step k apply --validate=warn -f unknown.yaml
step k apply --server-side --field-manager u --validate=false -f unknown.yaml
step k apply --server-side --field-manager u --validate=false -f badtype.yaml
step k apply --dry-run=server -f base.yaml
step k create --dry-run=server -f - <<<'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"g-","name":"g"}}'
step k replace -f - <<<'{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s1","resourceVersion":"1"},"data":{}}'

step k apply --server-side -f crd.yaml
step k wait --for condition=Established crd/widgets.example.com --timeout 20s
show crd widgets.example.com
widget a '{size: 3}' | step k apply --server-side -f -
widget b '{size: 3, nope: 1}' | step k create -f -
widget b '{size: 3, nope: 1}' | step k create --validate=false -f -
widget c '{}' | step k create -f -
# The real server names several problems in any order.
widget c '{size: 30, mode: huge, interval: x, tags: [a, b, c]}' | step k create -f - | sort
widget c '{size: many}' | step k create -f -
widget c '{size: 2, mode: big}' | step k create -f -
widget c '{size: 2, nested: {}}' | step k create -f -
widget a '{size: 4, items: [{name: x, value: "1"}, {name: "y"}]}' | step k apply --server-side -f -
widget a '{items: [{name: x, value: "2"}]}' | step k apply --server-side --field-manager o -f -
widget a '{items: [{name: z, value: "2"}]}' | step k apply --server-side --field-manager o -f -
widget a '{size: 4, items: [{name: "y"}]}' | step k apply --server-side -f -
widget a '{size: 4, nope: 1}' | step k apply --server-side --validate=false -f -
show widget a
step k patch widget a --subresource status --type merge -p '{"status":{"observedGeneration":1,"conditions":[{"type":"Ready","status":"True"}]},"spec":{"size":9}}'
show widget a
step k get wd
step k get widget,cm,secret
step k patch widget a --type strategic -p '{"spec":{"size":1}}'
step k wait --for condition=Ready widget/a --timeout 3s
step k get widget --field-selector metadata.name=a -o name
step k get widget --field-selector spec.size=4
step k get cm -l 'app in (a,b)' -o name
step k get cm -l 'app notin (a)' -o name
step k get cm -l 'app=(' -o name

step k patch widget a --type merge -p '{"metadata":{"finalizers":["example.com/x"]}}'
step k delete widget a --wait=false
step k get widget a -o jsonpath='{.metadata.finalizers} {.metadata.generation} {.metadata.deletionGracePeriodSeconds}'
step k patch widget a --type merge -p '{"metadata":{"finalizers":["example.com/x","example.com/y"]}}'
step k patch widget a --type merge -p '{"metadata":{"finalizers":null}}'
step k get widget a
owner=$(kubectl get cm c1 -o jsonpath='{.metadata.uid}')
step k create -f - <<Y
{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kid","ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"c1","uid":"$owner"}]}}
Y
step k delete cm c1
step k wait --for delete cm/kid --timeout 20s
step k get cm kid
step k delete deploy,svc,secret --all
step k delete crd widgets.example.com
step k get widgets
step k explain configmap.data | grep -v '^  '
step k explain deploy.spec.template.spec.containers | grep -E '^(GROUP|KIND|FIELD)'
step k auth whoami -o jsonpath='{.kind}'
step k auth can-i get pods
step k delete namespace t
step k get ns t
