/* The types of core/v1 and of the metadata; the grammar stands in types.h. */
#include "types.h"

#include "core/cleanup.h"

#define TOP "apiVersion:s kind:s metadata:.ObjectMeta "

const struct fx_as_type_row fx_as_types_core[] = {
        {"ObjectMeta", "name:s generateName:s namespace:s selfLink:s uid:s resourceVersion:s generation:l "
                       "creationTimestamp:t deletionTimestamp:t deletionGracePeriodSeconds:l labels:{s} "
                       "annotations:{s} "
                       "ownerReferences:[OwnerReference|uid] finalizers:[s|set] managedFields:[x]"},
        {"OwnerReference!", "apiVersion*:s kind*:s name*:s uid*:s controller:b blockOwnerDeletion:b"},
        {"LabelSelector!", "matchLabels:{s} matchExpressions:[LabelSelectorRequirement]"},
        {"LabelSelectorRequirement", "key*:s operator*:s values:[s]"},
        {"Condition", "type*:s status*:s observedGeneration:l lastTransitionTime:t lastUpdateTime:t "
                      "lastProbeTime:t "
                      "lastHeartbeatTime:t reason:s message:s"},
        {"LocalObjectReference!", "name:s"},
        {"ObjectReference!", "kind:s namespace:s name:s uid:s apiVersion:s resourceVersion:s fieldPath:s"},
        {"TypedLocalObjectReference!", "apiGroup:s kind*:s name*:s"},
        {"TypedObjectReference", "apiGroup:s kind*:s name*:s namespace:s"},

        {"Namespace", TOP "spec:.NamespaceSpec status:.NamespaceStatus"},
        {"NamespaceSpec", "finalizers:[s]"},
        {"NamespaceStatus", "phase:s conditions:[Condition|type]"},
        {"ConfigMap", TOP "data:{s} binaryData:{y} immutable:b"},
        {"Secret", TOP "data:{y} stringData:{s} type:s=Opaque immutable:b"},
        {"ServiceAccount", TOP "secrets:[ObjectReference|name] imagePullSecrets:[LocalObjectReference] "
                               "automountServiceAccountToken:b"},

        {"Pod", TOP "spec:.PodSpec status:.PodStatus"},
        {"PodTemplate", TOP "template:.PodTemplateSpec"},
        {"PodTemplateSpec", "metadata:.ObjectMeta spec:.PodSpec"},
        {"PodSpec",
                "volumes:[Volume|name] initContainers:[Container|name] containers*:[Container|name] "
                "ephemeralContainers:[Container|name] restartPolicy:s=Always "
                "terminationGracePeriodSeconds:l=30 "
                "activeDeadlineSeconds:l dnsPolicy:s=ClusterFirst nodeSelector:{s}! serviceAccountName:s "
                "serviceAccount:s automountServiceAccountToken:b nodeName:s hostNetwork:b hostPID:b "
                "hostIPC:b "
                "shareProcessNamespace:b securityContext:PodSecurityContext={} "
                "imagePullSecrets:[LocalObjectReference|name] hostname:s subdomain:s affinity:Affinity "
                "schedulerName:s=default-scheduler tolerations:[Toleration] hostAliases:[HostAlias|ip] "
                "priorityClassName:s priority:i dnsConfig:PodDNSConfig readinessGates:[PodReadinessGate] "
                "runtimeClassName:s enableServiceLinks:b preemptionPolicy:s overhead:{q} "
                "topologySpreadConstraints:[TopologySpreadConstraint|topologyKey,whenUnsatisfiable] "
                "setHostnameAsFQDN:b os:PodOS hostUsers:b schedulingGates:[PodSchedulingGate|name] "
                "resourceClaims:[PodResourceClaim|name] resources:ResourceRequirements hostnameOverride:s"},
        {"PodOS", "name*:s"},
        {"PodReadinessGate", "conditionType*:s"},
        {"PodSchedulingGate", "name*:s"},
        {"PodResourceClaim", "name*:s resourceClaimName:s resourceClaimTemplateName:s"},
        {"HostAlias", "ip*:s hostnames:[s]"},
        {"PodDNSConfig", "nameservers:[s] searches:[s] options:[PodDNSConfigOption]"},
        {"PodDNSConfigOption", "name:s value:s"},
        {"TopologySpreadConstraint",
                "maxSkew*:i topologyKey*:s whenUnsatisfiable*:s labelSelector:LabelSelector minDomains:i "
                "nodeAffinityPolicy:s nodeTaintsPolicy:s matchLabelKeys:[s]"},
        {"Toleration", "key:s operator:s value:s effect:s tolerationSeconds:l"},
        {"PodSecurityContext",
                "seLinuxOptions:SELinuxOptions windowsOptions:x runAsUser:l runAsGroup:l runAsNonRoot:b "
                "supplementalGroups:[l] supplementalGroupsPolicy:s fsGroup:l sysctls:[Sysctl] "
                "fsGroupChangePolicy:s "
                "seccompProfile:SeccompProfile appArmorProfile:SeccompProfile seLinuxChangePolicy:s"},
        {"SELinuxOptions", "user:s role:s type:s level:s"},
        {"Sysctl", "name*:s value*:s"},
        {"SeccompProfile", "type*:s localhostProfile:s"},
        {"SecurityContext",
                "capabilities:Capabilities privileged:b seLinuxOptions:SELinuxOptions windowsOptions:x "
                "runAsUser:l "
                "runAsGroup:l runAsNonRoot:b readOnlyRootFilesystem:b allowPrivilegeEscalation:b procMount:s "
                "seccompProfile:SeccompProfile appArmorProfile:SeccompProfile"},
        {"Capabilities", "add:[s] drop:[s]"},
        {"Affinity", "nodeAffinity:NodeAffinity podAffinity:PodAffinity podAntiAffinity:PodAffinity"},
        {"NodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution:NodeSelector "
                         "preferredDuringSchedulingIgnoredDuringExecution:[PreferredSchedulingTerm]"},
        {"NodeSelector!", "nodeSelectorTerms*:[NodeSelectorTerm]"},
        {"NodeSelectorTerm!",
                "matchExpressions:[LabelSelectorRequirement] matchFields:[LabelSelectorRequirement]"},
        {"PreferredSchedulingTerm", "weight*:i preference*:NodeSelectorTerm"},
        {"PodAffinity", "requiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm] "
                        "preferredDuringSchedulingIgnoredDuringExecution:[WeightedPodAffinityTerm]"},
        {"PodAffinityTerm",
                "labelSelector:LabelSelector namespaces:[s] topologyKey*:s namespaceSelector:LabelSelector "
                "matchLabelKeys:[s] mismatchLabelKeys:[s]"},
        {"WeightedPodAffinityTerm", "weight*:i podAffinityTerm*:PodAffinityTerm"},

        {"Container", "name*:s image:s command:[s] args:[s] workingDir:s "
                      "ports:[ContainerPort|containerPort,protocol] "
                      "envFrom:[EnvFromSource] env:[EnvVar|name] resources:.ResourceRequirements "
                      "resizePolicy:[ContainerResizePolicy] restartPolicy:s restartPolicyRules:[x] "
                      "volumeMounts:[VolumeMount|mountPath] volumeDevices:[VolumeDevice|devicePath] "
                      "livenessProbe:Probe "
                      "readinessProbe:Probe startupProbe:Probe lifecycle:Lifecycle "
                      "terminationMessagePath:s=/dev/termination-log terminationMessagePolicy:s=File "
                      "imagePullPolicy:s "
                      "securityContext:SecurityContext stdin:b stdinOnce:b tty:b targetContainerName:s"},
        {"ContainerResizePolicy", "resourceName*:s restartPolicy*:s"},
        {"ContainerPort", "name:s hostPort:i containerPort*:i protocol:s=TCP hostIP:s"},
        {"EnvFromSource", "prefix:s configMapRef:OptionalReference secretRef:OptionalReference"},
        {"OptionalReference", "name:s optional:b"},
        {"EnvVar", "name*:s value:s valueFrom:EnvVarSource"},
        {"EnvVarSource", "fieldRef:ObjectFieldSelector resourceFieldRef:ResourceFieldSelector "
                         "configMapKeyRef:KeySelector "
                         "secretKeyRef:KeySelector fileKeyRef:x"},
        {"ObjectFieldSelector!", "apiVersion:s=v1 fieldPath*:s"},
        {"ResourceFieldSelector!", "containerName:s resource*:s divisor:q"},
        {"KeySelector!", "name:s key*:s optional:b"},
        {"ResourceRequirements", "limits:{q} requests:{q} claims:[ResourceClaim|name]"},
        {"ResourceClaim", "name*:s request:s"},
        {"VolumeMount", "name*:s readOnly:b recursiveReadOnly:s mountPath*:s subPath:s mountPropagation:s "
                        "subPathExpr:s"},
        {"VolumeDevice", "name*:s devicePath*:s"},
        {"Probe", "exec:ExecAction httpGet:HTTPGetAction tcpSocket:TCPSocketAction grpc:GRPCAction "
                  "initialDelaySeconds:i timeoutSeconds:i=1 periodSeconds:i=10 successThreshold:i=1 "
                  "failureThreshold:i=3 "
                  "terminationGracePeriodSeconds:l"},
        {"ExecAction", "command:[s]"},
        {"HTTPGetAction", "path:s port*:p host:s scheme:s=HTTP httpHeaders:[HTTPHeader]"},
        {"HTTPHeader", "name*:s value*:s"},
        {"TCPSocketAction", "port*:p host:s"},
        {"GRPCAction", "port*:i service:s"},
        {"Lifecycle", "postStart:LifecycleHandler preStop:LifecycleHandler stopSignal:s"},
        {"LifecycleHandler",
                "exec:ExecAction httpGet:HTTPGetAction tcpSocket:TCPSocketAction sleep:SleepAction"},
        {"SleepAction", "seconds*:l"},

        {"Volume",
                "name*:s hostPath:HostPathVolume emptyDir:EmptyDirVolume secret:SecretVolume nfs:NFSVolume "
                "persistentVolumeClaim:ClaimVolume configMap:ConfigMapVolume projected:ProjectedVolume "
                "downwardAPI:DownwardAPIVolume csi:CSIVolume ephemeral:EphemeralVolume image:x iscsi:x "
                "glusterfs:x "
                "rbd:x cephfs:x fc:x azureFile:x azureDisk:x awsElasticBlockStore:x gcePersistentDisk:x "
                "gitRepo:x "
                "vsphereVolume:x quobyte:x photonPersistentDisk:x portworxVolume:x scaleIO:x storageos:x "
                "flocker:x "
                "flexVolume:x cinder:x"},
        {"HostPathVolume", "path*:s type:s=\"\""},
        {"EmptyDirVolume", "medium:s sizeLimit:q"},
        {"SecretVolume", "secretName:s items:[KeyToPath] defaultMode:i=420 optional:b"},
        {"ConfigMapVolume", "name:s items:[KeyToPath] defaultMode:i=420 optional:b"},
        {"KeyToPath", "key*:s path*:s mode:i"},
        {"NFSVolume", "server*:s path*:s readOnly:b"},
        {"ClaimVolume", "claimName*:s readOnly:b"},
        {"ProjectedVolume", "sources:[VolumeProjection] defaultMode:i=420"},
        {"VolumeProjection",
                "secret:SecretProjection downwardAPI:DownwardAPIVolume configMap:SecretProjection "
                "serviceAccountToken:TokenProjection clusterTrustBundle:x podCertificate:x"},
        {"SecretProjection", "name:s items:[KeyToPath] optional:b"},
        {"TokenProjection", "audience:s expirationSeconds:l=3600 path*:s"},
        {"DownwardAPIVolume", "items:[DownwardAPIFile] defaultMode:i"},
        {"DownwardAPIFile",
                "path*:s fieldRef:ObjectFieldSelector resourceFieldRef:ResourceFieldSelector mode:i"},
        {"CSIVolume", "driver*:s readOnly:b fsType:s volumeAttributes:{s} "
                      "nodePublishSecretRef:LocalObjectReference"},
        {"EphemeralVolume", "volumeClaimTemplate:ClaimTemplate"},
        {"ClaimTemplate", "metadata:.ObjectMeta spec:.PersistentVolumeClaimSpec"},

        {"PodStatus", "observedGeneration:l phase:s conditions:[Condition|type] message:s reason:s "
                      "nominatedNodeName:s hostIP:s "
                      "hostIPs:[PodIP] podIP:s podIPs:[PodIP|ip] startTime:t "
                      "initContainerStatuses:[ContainerStatus] "
                      "containerStatuses:[ContainerStatus] qosClass:s "
                      "ephemeralContainerStatuses:[ContainerStatus] resize:s "
                      "resourceClaimStatuses:[x]"},
        {"PodIP", "ip*:s"},
        {"ContainerStatus", "name*:s state:.ContainerState lastState:.ContainerState ready:b restartCount:i "
                            "image:s imageID:s "
                            "containerID:s started:b allocatedResources:{q} resources:ResourceRequirements "
                            "volumeMounts:[x] user:x"},
        {"ContainerState", "waiting:StateWaiting running:StateRunning terminated:StateTerminated"},
        {"StateWaiting", "reason:s message:s"},
        {"StateRunning", "startedAt:t"},
        {"StateTerminated", "exitCode*:i signal:i reason:s message:s startedAt:t finishedAt:t containerID:s"},

        {"Service", TOP "spec:.ServiceSpec status:.ServiceStatus"},
        {"ServiceSpec",
                "ports:[ServicePort|port,protocol] selector:{s}! clusterIP:s clusterIPs:[s] type:s=ClusterIP "
                "externalIPs:[s] sessionAffinity:s=None loadBalancerIP:s loadBalancerSourceRanges:[s] "
                "externalName:s "
                "externalTrafficPolicy:s healthCheckNodePort:i publishNotReadyAddresses:b "
                "sessionAffinityConfig:x "
                "ipFamilies:[s] ipFamilyPolicy:s allocateLoadBalancerNodePorts:b loadBalancerClass:s "
                "internalTrafficPolicy:s trafficDistribution:s"},
        {"ServicePort", "name:s protocol:s=TCP appProtocol:s port*:i targetPort:p nodePort:i"},
        {"ServiceStatus", "loadBalancer:.LoadBalancerStatus conditions:[Condition|type]"},
        {"LoadBalancerStatus", "ingress:[LoadBalancerIngress]"},
        {"LoadBalancerIngress", "ip:s hostname:s ipMode:s ports:[x]"},
        {"Endpoints", TOP "subsets:[x]"},

        {"PersistentVolumeClaim", TOP "spec:.PersistentVolumeClaimSpec status:.PersistentVolumeClaimStatus"},
        {"PersistentVolumeClaimSpec",
                "accessModes:[s] selector:LabelSelector resources:.ResourceRequirements volumeName:s "
                "storageClassName:s volumeMode:s=Filesystem dataSource:TypedLocalObjectReference "
                "dataSourceRef:TypedObjectReference volumeAttributesClassName:s"},
        {"PersistentVolumeClaimStatus",
                "phase:s accessModes:[s] capacity:{q} conditions:[Condition|type] allocatedResources:{q} "
                "allocatedResourceStatuses:{s} currentVolumeAttributesClassName:s"},
        {"PersistentVolume", TOP "spec:.PersistentVolumeSpec status:.PersistentVolumeStatus"},
        {"PersistentVolumeSpec",
                "capacity:{q} accessModes:[s] claimRef:ObjectReference "
                "persistentVolumeReclaimPolicy:s=Retain storageClassName:s mountOptions:[s] "
                "volumeMode:s=Filesystem "
                "nodeAffinity:x hostPath:HostPathVolume nfs:NFSVolume csi:x local:x iscsi:x rbd:x cephfs:x "
                "fc:x "
                "azureFile:x azureDisk:x awsElasticBlockStore:x gcePersistentDisk:x flexVolume:x cinder:x "
                "volumeAttributesClassName:s"},
        {"PersistentVolumeStatus", "phase:s message:s reason:s lastPhaseTransitionTime:t"},
        {"LimitRange", TOP "spec:.LimitRangeSpec"},
        {"LimitRangeSpec", "limits*:[LimitRangeItem]"},
        {"LimitRangeItem", "type*:s max:{q} min:{q} default:{q} defaultRequest:{q} maxLimitRequestRatio:{q}"},
        {"ResourceQuota", TOP "spec:.ResourceQuotaSpec status:.ResourceQuotaStatus"},
        {"ResourceQuotaSpec", "hard:{q} scopes:[s] scopeSelector:x"},
        {"ResourceQuotaStatus", "hard:{q} used:{q}"},
        {"Node", TOP "spec:.NodeSpec status:.NodeStatus"},
        {"NodeSpec", "podCIDR:s podCIDRs:[s|set] providerID:s unschedulable:b taints:[Taint] configSource:x "
                     "externalID:s"},
        {"Taint", "key*:s value:s effect*:s timeAdded:t"},
        {"NodeStatus",
                "capacity:{q} allocatable:{q} phase:s conditions:[Condition|type] "
                "addresses:[NodeAddress|type] "
                "daemonEndpoints:x nodeInfo:x images:[x] volumesInUse:[s] volumesAttached:[x] config:x "
                "runtimeHandlers:[x] features:x"},
        {"NodeAddress", "type*:s address*:s"},
        {"ReplicationController", TOP "spec:.ReplicationControllerSpec status:.ReplicationControllerStatus"},
        {"ReplicationControllerSpec",
                "replicas:i=1 minReadySeconds:i selector:{s}! template:PodTemplateSpec"},
        {"ReplicationControllerStatus",
                "replicas:i fullyLabeledReplicas:i readyReplicas:i availableReplicas:i observedGeneration:l "
                "conditions:[Condition|type]"},
        {"Event",
                TOP "involvedObject*:ObjectReference reason:s message:s source:.EventSource firstTimestamp:t "
                    "lastTimestamp:t count:i type:s eventTime:u series:EventSeries action:s "
                    "related:ObjectReference "
                    "reportingComponent:s reportingInstance:s"},
        {"EventSource", "component:s host:s"},
        {"EventSeries", "count:i lastObservedTime:u"},
};
const size_t fx_as_types_core_count = FX_COUNT(fx_as_types_core);
