/* The types of the named API groups; the grammar stands in types.h. */
#include "types.h"

#include "core/cleanup.h"

#define TOP "apiVersion:s kind:s metadata:.ObjectMeta "

const struct fx_as_type_row fx_as_types_groups[] = {
        /* apps */
        {"Deployment", TOP "spec:.DeploymentSpec status:.DeploymentStatus"},
        {"DeploymentSpec",
                "replicas:i=1 selector*:LabelSelector template*:.PodTemplateSpec "
                "strategy:.DeploymentStrategy "
                "minReadySeconds:i revisionHistoryLimit:i=10 paused:b progressDeadlineSeconds:i=600"},
        {"DeploymentStrategy", "type:s=RollingUpdate rollingUpdate:RollingUpdate"},
        {"RollingUpdate", "maxUnavailable:p maxSurge:p partition:i"},
        {"DeploymentStatus",
                "observedGeneration:l replicas:i updatedReplicas:i readyReplicas:i availableReplicas:i "
                "unavailableReplicas:i terminatingReplicas:i conditions:[Condition|type] collisionCount:i"},
        {"ReplicaSet", TOP "spec:.ReplicaSetSpec status:.ReplicaSetStatus"},
        {"ReplicaSetSpec",
                "replicas:i=1 minReadySeconds:i selector*:LabelSelector template:.PodTemplateSpec"},
        {"ReplicaSetStatus",
                "replicas:i fullyLabeledReplicas:i readyReplicas:i availableReplicas:i terminatingReplicas:i "
                "observedGeneration:l conditions:[Condition|type]"},
        {"StatefulSet", TOP "spec:.StatefulSetSpec status:.StatefulSetStatus"},
        {"StatefulSetSpec", "replicas:i=1 selector*:LabelSelector template*:.PodTemplateSpec "
                            "volumeClaimTemplates:[PersistentVolumeClaim] serviceName:s "
                            "podManagementPolicy:s=OrderedReady "
                            "updateStrategy:.DeploymentStrategy revisionHistoryLimit:i=10 minReadySeconds:i "
                            "persistentVolumeClaimRetentionPolicy:ClaimRetention ordinals:x"},
        {"ClaimRetention", "whenDeleted:s=Retain whenScaled:s=Retain"},
        {"StatefulSetStatus",
                "observedGeneration:l replicas:i readyReplicas:i currentReplicas:i updatedReplicas:i "
                "currentRevision:s updateRevision:s collisionCount:i conditions:[Condition|type] "
                "availableReplicas:i"},
        {"DaemonSet", TOP "spec:.DaemonSetSpec status:.DaemonSetStatus"},
        {"DaemonSetSpec",
                "selector*:LabelSelector template*:.PodTemplateSpec updateStrategy:.DeploymentStrategy "
                "minReadySeconds:i revisionHistoryLimit:i=10"},
        {"DaemonSetStatus",
                "currentNumberScheduled:i numberMisscheduled:i desiredNumberScheduled:i numberReady:i "
                "observedGeneration:l updatedNumberScheduled:i numberAvailable:i numberUnavailable:i "
                "collisionCount:i "
                "conditions:[Condition|type]"},
        {"ControllerRevision", TOP "data:x revision*:l"},

        /* batch */
        {"Job", TOP "spec:.JobSpec status:.JobStatus"},
        {"JobSpec",
                "parallelism:i=1 completions:i activeDeadlineSeconds:l podFailurePolicy:x successPolicy:x "
                "backoffLimit:i=6 backoffLimitPerIndex:i maxFailedIndexes:i selector:LabelSelector "
                "manualSelector:b "
                "template*:.PodTemplateSpec ttlSecondsAfterFinished:i completionMode:s=NonIndexed "
                "suspend:b=false "
                "podReplacementPolicy:s=TerminatingOrFailed managedBy:s"},
        {"JobStatus", "conditions:[Condition] startTime:t completionTime:t active:i succeeded:i failed:i "
                      "terminating:i "
                      "completedIndexes:s failedIndexes:s uncountedTerminatedPods:x ready:i"},
        {"CronJob", TOP "spec:.CronJobSpec status:.CronJobStatus"},
        {"CronJobSpec",
                "schedule*:s timeZone:s startingDeadlineSeconds:l concurrencyPolicy:s=Allow suspend:b=false "
                "jobTemplate*:.JobTemplateSpec successfulJobsHistoryLimit:i=3 failedJobsHistoryLimit:i=1"},
        {"JobTemplateSpec", "metadata:.ObjectMeta spec:.JobSpec"},
        {"CronJobStatus", "active:[ObjectReference] lastScheduleTime:t lastSuccessfulTime:t"},

        /* rbac.authorization.k8s.io */
        {"Role", TOP "rules:[PolicyRule]"},
        {"ClusterRole", TOP "rules:[PolicyRule] aggregationRule:AggregationRule"},
        {"AggregationRule", "clusterRoleSelectors:[LabelSelector]"},
        {"PolicyRule", "verbs*:[s] apiGroups:[s] resources:[s] resourceNames:[s] nonResourceURLs:[s]"},
        {"RoleBinding", TOP "subjects:[Subject] roleRef*:.RoleRef"},
        {"ClusterRoleBinding", TOP "subjects:[Subject] roleRef*:.RoleRef"},
        {"RoleRef!", "apiGroup:s=rbac.authorization.k8s.io kind*:s name*:s"},
        {"Subject!", "kind*:s apiGroup:s name*:s namespace:s"},

        /* networking.k8s.io */
        {"NetworkPolicy", TOP "spec:.NetworkPolicySpec"},
        {"NetworkPolicySpec",
                "podSelector:.LabelSelector ingress:[NetworkPolicyIngress] egress:[NetworkPolicyEgress] "
                "policyTypes:[s]"},
        {"NetworkPolicyIngress", "ports:[NetworkPolicyPort] from:[NetworkPolicyPeer]"},
        {"NetworkPolicyEgress", "ports:[NetworkPolicyPort] to:[NetworkPolicyPeer]"},
        {"NetworkPolicyPort", "protocol:s=TCP port:p endPort:i"},
        {"NetworkPolicyPeer", "podSelector:LabelSelector namespaceSelector:LabelSelector ipBlock:IPBlock"},
        {"IPBlock", "cidr*:s except:[s]"},
        {"Ingress", TOP "spec:.IngressSpec status:.IngressStatus"},
        {"IngressSpec",
                "ingressClassName:s defaultBackend:IngressBackend tls:[IngressTLS] rules:[IngressRule]"},
        {"IngressBackend", "service:IngressServiceBackend resource:TypedLocalObjectReference"},
        {"IngressServiceBackend", "name*:s port:.ServiceBackendPort"},
        {"ServiceBackendPort!", "name:s number:i"},
        {"IngressTLS", "hosts:[s] secretName:s"},
        {"IngressRule", "host:s http:HTTPIngressRule"},
        {"HTTPIngressRule", "paths*:[HTTPIngressPath]"},
        {"HTTPIngressPath", "path:s pathType*:s backend*:.IngressBackend"},
        {"IngressStatus", "loadBalancer:.LoadBalancerStatus"},
        {"IngressClass", TOP "spec:.IngressClassSpec"},
        {"IngressClassSpec", "controller:s parameters:x"},

        /* policy, autoscaling, scheduling, coordination, storage, discovery */
        {"PodDisruptionBudget", TOP "spec:.PodDisruptionBudgetSpec status:.PodDisruptionBudgetStatus"},
        {"PodDisruptionBudgetSpec",
                "minAvailable:p selector:LabelSelector maxUnavailable:p unhealthyPodEvictionPolicy:s"},
        {"PodDisruptionBudgetStatus", "observedGeneration:l disruptedPods:{t} disruptionsAllowed:i "
                                      "currentHealthy:i desiredHealthy:i "
                                      "expectedPods:i conditions:[Condition|type]"},
        {"HorizontalPodAutoscaler",
                TOP "spec:.HorizontalPodAutoscalerSpec status:.HorizontalPodAutoscalerStatus"},
        {"HorizontalPodAutoscalerSpec", "scaleTargetRef*:.CrossVersionObjectReference minReplicas:i=1 "
                                        "maxReplicas*:i metrics:[MetricSpec] "
                                        "behavior:x"},
        {"CrossVersionObjectReference!", "kind*:s name*:s apiVersion:s"},
        {"MetricSpec", "type*:s object:x pods:x resource:ResourceMetric containerResource:x external:x"},
        {"ResourceMetric", "name*:s target*:.MetricTarget"},
        {"MetricTarget", "type*:s value:q averageValue:q averageUtilization:i"},
        {"HorizontalPodAutoscalerStatus",
                "observedGeneration:l lastScaleTime:t currentReplicas:i desiredReplicas:i currentMetrics:[x] "
                "conditions:[Condition|type]"},
        {"PriorityClass",
                TOP "value*:i globalDefault:b description:s preemptionPolicy:s=PreemptLowerPriority"},
        {"Lease", TOP "spec:LeaseSpec"},
        {"LeaseSpec", "holderIdentity:s leaseDurationSeconds:i acquireTime:u renewTime:u leaseTransitions:i "
                      "strategy:s "
                      "preferredHolder:s"},
        {"StorageClass", TOP "provisioner*:s parameters:{s} reclaimPolicy:s=Delete mountOptions:[s] "
                             "allowVolumeExpansion:b volumeBindingMode:s=Immediate allowedTopologies:[x]"},
        {"CSIDriver", TOP "spec*:x"},
        {"CSINode", TOP "spec*:x"},
        {"VolumeAttachment", TOP "spec*:x status:x"},
        {"EndpointSlice", TOP "addressType*:s endpoints:[x] ports:[x]"},
        {"RuntimeClass", TOP "handler*:s overhead:x scheduling:x"},
        {"FlowSchema", TOP "spec:x status:x"},
        {"PriorityLevelConfiguration", TOP "spec:x status:x"},
        {"CertificateSigningRequest", TOP "spec:x status:x"},

        /* admissionregistration.k8s.io */
        {"ValidatingWebhookConfiguration", TOP "webhooks:[Webhook|name]"},
        {"MutatingWebhookConfiguration", TOP "webhooks:[Webhook|name]"},
        {"Webhook",
                "name*:s clientConfig*:.WebhookClientConfig rules:[RuleWithOperations] failurePolicy:s=Fail "
                "matchPolicy:s=Equivalent namespaceSelector:LabelSelector={} objectSelector:LabelSelector={} "
                "sideEffects*:s timeoutSeconds:i=10 admissionReviewVersions*:[s] reinvocationPolicy:s "
                "matchConditions:[MatchCondition|name]"},
        {"WebhookClientConfig", "url:s service:WebhookService caBundle:y"},
        {"WebhookService", "namespace*:s name*:s path:s port:i=443"},
        {"RuleWithOperations", "operations:[s] apiGroups:[s] apiVersions:[s] resources:[s] scope:s=*"},
        {"MatchCondition", "name*:s expression*:s"},
        {"ValidatingAdmissionPolicy", TOP "spec:x status:x"},
        {"ValidatingAdmissionPolicyBinding", TOP "spec:x"},

        /* apiextensions.k8s.io, apiregistration.k8s.io */
        {"CustomResourceDefinition",
                TOP "spec*:.CustomResourceDefinitionSpec status:CustomResourceDefinitionStatus"},
        {"CustomResourceDefinitionSpec",
                "group*:s names*:.CustomResourceDefinitionNames scope*:s "
                "versions*:[CustomResourceDefinitionVersion] "
                "conversion:CustomResourceConversion={\"strategy\":\"None\"} preserveUnknownFields:b"},
        {"CustomResourceDefinitionNames",
                "plural*:s singular:s shortNames:[s] kind*:s listKind:s categories:[s]"},
        {"CustomResourceDefinitionVersion",
                "name*:s served*:b storage*:b deprecated:b deprecationWarning:s "
                "schema:CustomResourceValidation "
                "subresources:CustomResourceSubresources additionalPrinterColumns:[PrinterColumn] "
                "selectableFields:[SelectableField]"},
        {"SelectableField", "jsonPath*:s"},
        {"CustomResourceValidation", "openAPIV3Schema:x"},
        {"CustomResourceSubresources", "status:x scale:x"},
        {"PrinterColumn", "name*:s type*:s format:s description:s priority:i jsonPath*:s"},
        {"CustomResourceConversion", "strategy*:s webhook:x"},
        {"CustomResourceDefinitionStatus",
                "conditions:[Condition|type] acceptedNames:CustomResourceDefinitionNames storedVersions:[s] "
                "observedGeneration:l"},
        {"APIService", TOP "spec:.APIServiceSpec status:.APIServiceStatus"},
        {"APIServiceSpec",
                "service:x group:s version:s insecureSkipTLSVerify:b caBundle:y groupPriorityMinimum*:i "
                "versionPriority*:i"},
        {"APIServiceStatus", "conditions:[Condition|type]"},

        /* not objects, but sent as such */
        {"DeleteOptions", "gracePeriodSeconds:l preconditions:Preconditions orphanDependents:b "
                          "propagationPolicy:s dryRun:[s]"},
        {"Preconditions", "uid:s resourceVersion:s"},
        {"TokenRequest", TOP "spec:x status:x"},

        /* answered from the request alone, never stored */
        {"SelfSubjectReview", TOP "status:x"},
        {"SelfSubjectAccessReview", TOP "spec*:x status:x"},
        {"SubjectAccessReview", TOP "spec*:x status:x"},
        {"LocalSubjectAccessReview", TOP "spec*:x status:x"},
        {"TokenReview", TOP "spec*:x status:x"},
};
const size_t fx_as_types_groups_count = FX_COUNT(fx_as_types_groups);
