/* Field numbers of the built-in types in Kubernetes' protobuf form, from the generated.proto files of
 * k8s.io/api v0.36.3 and k8s.io/apimachinery. `2.5` is field 5 of the message in field 2, whose fields are
 * the outer ones' in JSON. */
#include "protobuf.h"

#include "core/cleanup.h"

const struct fx_as_type_row fx_as_proto_numbers[] = {
        {"Affinity", "nodeAffinity=1 podAffinity=2 podAntiAffinity=3"},
        {"AggregationRule", "clusterRoleSelectors=1"},
        {"CSIDriver", "metadata=1 spec=2"},
        {"CSINode", "metadata=1 spec=2"},
        {"CSIVolume", "driver=1 readOnly=2 fsType=3 volumeAttributes=4 nodePublishSecretRef=5"},
        {"Capabilities", "add=1 drop=2"},
        {"ClaimRetention", "whenDeleted=1 whenScaled=2"},
        {"ClaimTemplate", "metadata=1 spec=2"},
        {"ClaimVolume", "claimName=1 readOnly=2"},
        {"ClusterRole", "metadata=1 rules=2 aggregationRule=3"},
        {"ClusterRoleBinding", "metadata=1 subjects=2 roleRef=3"},
        {"ConfigMap", "metadata=1 data=2 binaryData=3 immutable=4"},
        {"ConfigMapVolume", "name=1.1 items=2 defaultMode=3 optional=4"},
        {"Container", "name=1 image=2 command=3 args=4 workingDir=5 ports=6 envFrom=19 env=7 resources=8 "
                      "resizePolicy=23 restartPolicy=24 restartPolicyRules=25 volumeMounts=9 "
                      "volumeDevices=21 livenessProbe=10 readinessProbe=11 startupProbe=22 lifecycle=12 "
                      "terminationMessagePath=13 terminationMessagePolicy=20 imagePullPolicy=14 "
                      "securityContext=15 stdin=16 stdinOnce=17 tty=18"},
        {"ContainerPort", "name=1 hostPort=2 containerPort=3 protocol=4 hostIP=5"},
        {"ContainerResizePolicy", "resourceName=1 restartPolicy=2"},
        {"ContainerState", "waiting=1 running=2 terminated=3"},
        {"ControllerRevision", "metadata=1 data=2 revision=3"},
        {"CronJob", "metadata=1 spec=2 status=3"},
        {"CronJobSpec", "schedule=1 timeZone=8 startingDeadlineSeconds=2 concurrencyPolicy=3 suspend=4 "
                        "jobTemplate=5 successfulJobsHistoryLimit=6 failedJobsHistoryLimit=7"},
        {"CrossVersionObjectReference", "kind=1 name=2 apiVersion=3"},
        {"CustomResourceConversion", "strategy=1 webhook=2"},
        {"CustomResourceDefinition", "metadata=1 spec=2 status=3"},
        {"CustomResourceDefinitionNames", "plural=1 singular=2 shortNames=3 kind=4 listKind=5 categories=6"},
        {"CustomResourceDefinitionSpec",
                "group=1 names=3 scope=4 versions=7 conversion=9 preserveUnknownFields=10"},
        {"CustomResourceDefinitionVersion",
                "name=1 served=2 storage=3 deprecated=7 deprecationWarning=8 schema=4 subresources=5 "
                "additionalPrinterColumns=6 selectableFields=9"},
        {"CustomResourceSubresources", "status=1 scale=2"},
        {"CustomResourceValidation", "openAPIV3Schema=1"},
        {"DaemonSet", "metadata=1 spec=2 status=3"},
        {"DaemonSetSpec", "selector=1 template=2 updateStrategy=3 minReadySeconds=4 revisionHistoryLimit=6"},
        {"DeleteOptions",
                "gracePeriodSeconds=1 preconditions=2 orphanDependents=3 propagationPolicy=4 dryRun=5"},
        {"DeleteOptions",
                "gracePeriodSeconds=1 preconditions=2 orphanDependents=3 propagationPolicy=4 dryRun=5"},
        {"Deployment", "metadata=1 spec=2 status=3"},
        {"DeploymentSpec", "replicas=1 selector=2 template=3 strategy=4 minReadySeconds=5 "
                           "revisionHistoryLimit=6 paused=7 progressDeadlineSeconds=9"},
        {"DeploymentStrategy", "type=1 rollingUpdate=2"},
        {"DownwardAPIFile", "path=1 fieldRef=2 resourceFieldRef=3 mode=4"},
        {"DownwardAPIVolume", "items=1 defaultMode=2"},
        {"EmptyDirVolume", "medium=1 sizeLimit=2"},
        {"EndpointSlice", "metadata=1 addressType=4 endpoints=2 ports=3"},
        {"Endpoints", "metadata=1 subsets=2"},
        {"EnvFromSource", "prefix=1 configMapRef=2 secretRef=3"},
        {"EnvVar", "name=1 value=2 valueFrom=3"},
        {"EnvVarSource", "fieldRef=1 resourceFieldRef=2 configMapKeyRef=3 secretKeyRef=4 fileKeyRef=5"},
        {"EphemeralVolume", "volumeClaimTemplate=1"},
        {"Event", "metadata=1 involvedObject=2 reason=3 message=4 source=5 firstTimestamp=6 lastTimestamp=7 "
                  "count=8 type=9 eventTime=10 series=11 action=12 related=13 reportingComponent=14 "
                  "reportingInstance=15"},
        {"EventSeries", "count=1 lastObservedTime=2"},
        {"EventSource", "component=1 host=2"},
        {"ExecAction", "command=1"},
        {"GRPCAction", "port=1 service=2"},
        {"HTTPGetAction", "path=1 port=2 host=3 scheme=4 httpHeaders=5"},
        {"HTTPHeader", "name=1 value=2"},
        {"HTTPIngressPath", "path=1 pathType=3 backend=2"},
        {"HTTPIngressRule", "paths=1"},
        {"HorizontalPodAutoscaler", "metadata=1 spec=2 status=3"},
        {"HorizontalPodAutoscalerSpec", "scaleTargetRef=1 minReplicas=2 maxReplicas=3 metrics=4 behavior=5"},
        {"HostAlias", "ip=1 hostnames=2"},
        {"HostPathVolume", "path=1 type=2"},
        {"IPBlock", "cidr=1 except=2"},
        {"Ingress", "metadata=1 spec=2 status=3"},
        {"IngressBackend", "service=4 resource=3"},
        {"IngressClass", "metadata=1 spec=2"},
        {"IngressClassSpec", "controller=1 parameters=2"},
        {"IngressRule", "host=1 http=2.1"},
        {"IngressServiceBackend", "name=1 port=2"},
        {"IngressSpec", "ingressClassName=4 defaultBackend=1 tls=2 rules=3"},
        {"IngressTLS", "hosts=1 secretName=2"},
        {"Job", "metadata=1 spec=2 status=3"},
        {"JobSpec", "parallelism=1 completions=2 activeDeadlineSeconds=3 podFailurePolicy=11 "
                    "successPolicy=16 backoffLimit=7 backoffLimitPerIndex=12 maxFailedIndexes=13 selector=4 "
                    "manualSelector=5 template=6 ttlSecondsAfterFinished=8 completionMode=9 suspend=10 "
                    "podReplacementPolicy=14 managedBy=15"},
        {"JobTemplateSpec", "metadata=1 spec=2"},
        {"KeySelector", "name=1.1 key=2 optional=3"},
        {"KeyToPath", "key=1 path=2 mode=3"},
        {"LabelSelector", "matchLabels=1 matchExpressions=2"},
        {"LabelSelectorRequirement", "key=1 operator=2 values=3"},
        {"Lease", "metadata=1 spec=2"},
        {"LeaseSpec", "holderIdentity=1 leaseDurationSeconds=2 acquireTime=3 renewTime=4 leaseTransitions=5 "
                      "strategy=6 preferredHolder=7"},
        {"Lifecycle", "postStart=1 preStop=2 stopSignal=3"},
        {"LifecycleHandler", "exec=1 httpGet=2 tcpSocket=3 sleep=4"},
        {"LimitRange", "metadata=1 spec=2"},
        {"LimitRangeItem", "type=1 max=2 min=3 default=4 defaultRequest=5 maxLimitRequestRatio=6"},
        {"LimitRangeSpec", "limits=1"},
        {"LoadBalancerIngress", "ip=1 hostname=2 ipMode=3 ports=4"},
        {"LocalObjectReference", "name=1"},
        {"LocalSubjectAccessReview", "metadata=1 spec=2 status=3"},
        {"MatchCondition", "name=1 expression=2"},
        {"MetricSpec", "type=1 object=2 pods=3 resource=4 containerResource=7 external=5"},
        {"MetricTarget", "type=1 value=2 averageValue=3 averageUtilization=4"},
        {"MutatingWebhookConfiguration", "metadata=1"},
        {"NFSVolume", "server=1 path=2 readOnly=3"},
        {"Namespace", "metadata=1 spec=2 status=3"},
        {"NamespaceSpec", "finalizers=1"},
        {"NetworkPolicy", "metadata=1 spec=2"},
        {"NetworkPolicyEgress", "ports=1 to=2"},
        {"NetworkPolicyIngress", "ports=1 from=2"},
        {"NetworkPolicyPeer", "podSelector=1 namespaceSelector=2 ipBlock=3"},
        {"NetworkPolicyPort", "protocol=1 port=2 endPort=3"},
        {"NetworkPolicySpec", "podSelector=1 ingress=2 egress=3 policyTypes=4"},
        {"Node", "metadata=1 spec=2 status=3"},
        {"NodeAddress", "type=1 address=2"},
        {"NodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution=1 "
                         "preferredDuringSchedulingIgnoredDuringExecution=2"},
        {"NodeSelector", "nodeSelectorTerms=1"},
        {"NodeSelectorTerm", "matchExpressions=1 matchFields=2"},
        {"NodeSpec",
                "podCIDR=1 podCIDRs=7 providerID=3 unschedulable=4 taints=5 configSource=6 externalID=2"},
        {"ObjectFieldSelector", "apiVersion=1 fieldPath=2"},
        {"ObjectMeta", "name=1 generateName=2 namespace=3 selfLink=4 uid=5 resourceVersion=6 generation=7 "
                       "creationTimestamp=8 deletionTimestamp=9 deletionGracePeriodSeconds=10 labels=11 "
                       "annotations=12 ownerReferences=13 finalizers=14 managedFields=17"},
        {"ObjectReference", "kind=1 namespace=2 name=3 uid=4 apiVersion=5 resourceVersion=6 fieldPath=7"},
        {"OptionalReference", "name=1.1 optional=2"},
        {"OwnerReference", "apiVersion=5 kind=1 name=3 uid=4 controller=6 blockOwnerDeletion=7"},
        {"PersistentVolume", "metadata=1 spec=2 status=3"},
        {"PersistentVolumeClaim", "metadata=1 spec=2 status=3"},
        {"PersistentVolumeClaimSpec",
                "accessModes=1 selector=4 resources=2 volumeName=3 storageClassName=5 volumeMode=6 "
                "dataSource=7 dataSourceRef=8 volumeAttributesClassName=9"},
        {"PersistentVolumeSpec",
                "capacity=1 accessModes=3 claimRef=4 persistentVolumeReclaimPolicy=5 storageClassName=6 "
                "mountOptions=7 volumeMode=8 nodeAffinity=9 hostPath=2.3 nfs=2.5 csi=2.22 local=2.20 "
                "iscsi=2.7 rbd=2.6 cephfs=2.9 fc=2.10 azureFile=2.13 azureDisk=2.16 awsElasticBlockStore=2.2 "
                "gcePersistentDisk=2.1 flexVolume=2.12 cinder=2.8 volumeAttributesClassName=10"},
        {"Pod", "metadata=1 spec=2 status=3"},
        {"PodAffinity", "requiredDuringSchedulingIgnoredDuringExecution=1 "
                        "preferredDuringSchedulingIgnoredDuringExecution=2"},
        {"PodAffinityTerm", "labelSelector=1 namespaces=2 topologyKey=3 namespaceSelector=4 matchLabelKeys=5 "
                            "mismatchLabelKeys=6"},
        {"PodDNSConfig", "nameservers=1 searches=2 options=3"},
        {"PodDNSConfigOption", "name=1 value=2"},
        {"PodDisruptionBudget", "metadata=1 spec=2 status=3"},
        {"PodDisruptionBudgetSpec",
                "minAvailable=1 selector=2 maxUnavailable=3 unhealthyPodEvictionPolicy=4"},
        {"PodIP", "ip=1"},
        {"PodOS", "name=1"},
        {"PodReadinessGate", "conditionType=1"},
        {"PodResourceClaim", "name=1 resourceClaimName=3 resourceClaimTemplateName=4"},
        {"PodSchedulingGate", "name=1"},
        {"PodSecurityContext",
                "seLinuxOptions=1 windowsOptions=8 runAsUser=2 runAsGroup=6 runAsNonRoot=3 "
                "supplementalGroups=4 supplementalGroupsPolicy=12 fsGroup=5 sysctls=7 fsGroupChangePolicy=9 "
                "seccompProfile=10 appArmorProfile=11 seLinuxChangePolicy=13"},
        {"PodSpec", "volumes=1 initContainers=20 containers=2 ephemeralContainers=34 restartPolicy=3 "
                    "terminationGracePeriodSeconds=4 activeDeadlineSeconds=5 dnsPolicy=6 nodeSelector=7 "
                    "serviceAccountName=8 serviceAccount=9 automountServiceAccountToken=21 nodeName=10 "
                    "hostNetwork=11 hostPID=12 hostIPC=13 shareProcessNamespace=27 securityContext=14 "
                    "imagePullSecrets=15 hostname=16 subdomain=17 affinity=18 schedulerName=19 "
                    "tolerations=22 hostAliases=23 priorityClassName=24 priority=25 dnsConfig=26 "
                    "readinessGates=28 runtimeClassName=29 enableServiceLinks=30 preemptionPolicy=31 "
                    "overhead=32 topologySpreadConstraints=33 setHostnameAsFQDN=35 os=36 hostUsers=37 "
                    "schedulingGates=38 resourceClaims=39 resources=40 hostnameOverride=41"},
        {"PodTemplate", "metadata=1 template=2"},
        {"PodTemplateSpec", "metadata=1 spec=2"},
        {"PolicyRule", "verbs=1 apiGroups=2 resources=3 resourceNames=4 nonResourceURLs=5"},
        {"Preconditions", "uid=1"},
        {"Preconditions", "uid=1"},
        {"PreferredSchedulingTerm", "weight=1 preference=2"},
        {"PrinterColumn", "name=1 type=2 format=3 description=4 priority=5 jsonPath=6"},
        {"PriorityClass", "metadata=1 value=2 globalDefault=3 description=4 preemptionPolicy=5"},
        {"Probe", "exec=1.1 httpGet=1.2 tcpSocket=1.3 grpc=1.4 initialDelaySeconds=2 timeoutSeconds=3 "
                  "periodSeconds=4 successThreshold=5 failureThreshold=6 terminationGracePeriodSeconds=7"},
        {"ProjectedVolume", "sources=1 defaultMode=2"},
        {"ReplicaSet", "metadata=1 spec=2 status=3"},
        {"ReplicaSetSpec", "replicas=1 minReadySeconds=4 selector=2 template=3"},
        {"ReplicationController", "metadata=1 spec=2 status=3"},
        {"ReplicationControllerSpec", "replicas=1 minReadySeconds=4 selector=2 template=3"},
        {"ResourceClaim", "name=1 request=2"},
        {"ResourceFieldSelector", "containerName=1 resource=2 divisor=3"},
        {"ResourceMetric", "name=1 target=2"},
        {"ResourceQuota", "metadata=1 spec=2 status=3"},
        {"ResourceQuotaSpec", "hard=1 scopes=2 scopeSelector=3"},
        {"ResourceRequirements", "limits=1 requests=2 claims=3"},
        {"Role", "metadata=1 rules=2"},
        {"RoleBinding", "metadata=1 subjects=2 roleRef=3"},
        {"RoleRef", "apiGroup=1 kind=2 name=3"},
        {"RollingUpdate", "maxUnavailable=1 maxSurge=2"},
        {"RuleWithOperations", "operations=1 apiGroups=2.1 apiVersions=2.2 resources=2.3 scope=2.4"},
        {"RuntimeClass", "metadata=1 handler=2 overhead=3 scheduling=4"},
        {"SELinuxOptions", "user=1 role=2 type=3 level=4"},
        {"SeccompProfile", "type=1 localhostProfile=2"},
        {"Secret", "metadata=1 data=2 stringData=4 type=3 immutable=5"},
        {"SecretProjection", "name=1.1 items=2 optional=4"},
        {"SecretVolume", "secretName=1 items=2 defaultMode=3 optional=4"},
        {"SecurityContext", "capabilities=1 privileged=2 seLinuxOptions=3 windowsOptions=10 runAsUser=4 "
                            "runAsGroup=8 runAsNonRoot=5 readOnlyRootFilesystem=6 allowPrivilegeEscalation=7 "
                            "procMount=9 seccompProfile=11 appArmorProfile=12"},
        {"SelectableField", "jsonPath=1"},
        {"SelfSubjectAccessReview", "metadata=1 spec=2 status=3"},
        {"SelfSubjectReview", "metadata=1 status=2"},
        {"Service", "metadata=1 spec=2 status=3"},
        {"ServiceAccount", "metadata=1 secrets=2 imagePullSecrets=3 automountServiceAccountToken=4"},
        {"ServiceBackendPort", "name=1 number=2"},
        {"ServicePort", "name=1 protocol=2 appProtocol=6 port=3 targetPort=4 nodePort=5"},
        {"ServiceSpec",
                "ports=1 selector=2 clusterIP=3 clusterIPs=18 type=4 externalIPs=5 sessionAffinity=7 "
                "loadBalancerIP=8 loadBalancerSourceRanges=9 externalName=10 externalTrafficPolicy=11 "
                "healthCheckNodePort=12 publishNotReadyAddresses=13 sessionAffinityConfig=14 ipFamilies=19 "
                "ipFamilyPolicy=17 allocateLoadBalancerNodePorts=20 loadBalancerClass=21 "
                "internalTrafficPolicy=22 trafficDistribution=23"},
        {"SleepAction", "seconds=1"},
        {"StateRunning", "startedAt=1"},
        {"StateTerminated", "exitCode=1 signal=2 reason=3 message=4 startedAt=5 finishedAt=6 containerID=7"},
        {"StateWaiting", "reason=1 message=2"},
        {"StatefulSet", "metadata=1 spec=2 status=3"},
        {"StatefulSetSpec", "replicas=1 selector=2 template=3 volumeClaimTemplates=4 serviceName=5 "
                            "podManagementPolicy=6 updateStrategy=7 revisionHistoryLimit=8 minReadySeconds=9 "
                            "persistentVolumeClaimRetentionPolicy=10 ordinals=11"},
        {"StorageClass", "metadata=1 provisioner=2 parameters=3 reclaimPolicy=4 mountOptions=5 "
                         "allowVolumeExpansion=6 volumeBindingMode=7 allowedTopologies=8"},
        {"Subject", "kind=1 apiGroup=2 name=3 namespace=4"},
        {"SubjectAccessReview", "metadata=1 spec=2 status=3"},
        {"Sysctl", "name=1 value=2"},
        {"TCPSocketAction", "port=1 host=2"},
        {"Taint", "key=1 value=2 effect=3 timeAdded=4"},
        {"TokenProjection", "audience=1 expirationSeconds=2 path=3"},
        {"TokenRequest", "metadata=1"},
        {"TokenReview", "metadata=1 spec=2 status=3"},
        {"Toleration", "key=1 operator=2 value=3 effect=4 tolerationSeconds=5"},
        {"TopologySpreadConstraint", "maxSkew=1 topologyKey=2 whenUnsatisfiable=3 labelSelector=4 "
                                     "minDomains=5 nodeAffinityPolicy=6 nodeTaintsPolicy=7 matchLabelKeys=8"},
        {"TypedLocalObjectReference", "apiGroup=1 kind=2 name=3"},
        {"TypedObjectReference", "apiGroup=1 kind=2 name=3 namespace=4"},
        {"ValidatingAdmissionPolicy", "metadata=1 spec=2 status=3"},
        {"ValidatingAdmissionPolicyBinding", "metadata=1 spec=2"},
        {"ValidatingWebhookConfiguration", "metadata=1"},
        {"Volume", "name=1 hostPath=2.1 emptyDir=2.2 secret=2.6 nfs=2.7 persistentVolumeClaim=2.10 "
                   "configMap=2.19 projected=2.26 downwardAPI=2.16 csi=2.28 ephemeral=2.29 image=2.30 "
                   "iscsi=2.8 glusterfs=2.9 rbd=2.11 cephfs=2.14 fc=2.17 azureFile=2.18 azureDisk=2.22 "
                   "awsElasticBlockStore=2.4 gcePersistentDisk=2.3 gitRepo=2.5 vsphereVolume=2.20 "
                   "quobyte=2.21 photonPersistentDisk=2.23 portworxVolume=2.24 scaleIO=2.25 storageos=2.27 "
                   "flocker=2.15 flexVolume=2.12 cinder=2.13"},
        {"VolumeAttachment", "metadata=1 spec=2 status=3"},
        {"VolumeDevice", "name=1 devicePath=2"},
        {"VolumeMount", "name=1 readOnly=2 recursiveReadOnly=7 mountPath=3 subPath=4 mountPropagation=5 "
                        "subPathExpr=6"},
        {"VolumeProjection", "secret=1 downwardAPI=2 configMap=3 serviceAccountToken=4 clusterTrustBundle=5 "
                             "podCertificate=6"},
        {"Webhook", "name=1 clientConfig=2 rules=3 failurePolicy=4 matchPolicy=9 namespaceSelector=5 "
                    "objectSelector=10 sideEffects=6 timeoutSeconds=7 admissionReviewVersions=8 "
                    "matchConditions=11"},
        {"WebhookClientConfig", "url=3 service=1 caBundle=2"},
        {"WebhookService", "namespace=1 name=2 path=3 port=4"},
        {"WeightedPodAffinityTerm", "weight=1 podAffinityTerm=2"},
};
const size_t fx_as_proto_numbers_count = FX_COUNT(fx_as_proto_numbers);
