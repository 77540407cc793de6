#include "kustomize/engine.h"

#include <string.h>

/*
 * The fields of what people write, as the Go structs of kustomize 5.8.1 have them: kustomizations
 * (types.Kustomization), transformer configurations, the built-in plugins' own configurations.
 */

#define FIELD(name, type, sub, go, promoted)                                                                 \
	{                                                                                                    \
		name, FX_FIELD_##type, sub, go, promoted                                                     \
	}
#define STR(name) FIELD(name, STR, NULL, NULL, NULL)
#define BOOL(name) FIELD(name, BOOL, NULL, NULL, NULL)
#define INT(name) FIELD(name, INT, NULL, NULL, NULL)
#define STRS(name) FIELD(name, STRS, NULL, NULL, NULL)
#define MAP(name) FIELD(name, MAP, NULL, NULL, NULL)
#define ANY(name) FIELD(name, ANY, NULL, NULL, NULL)
#define OBJECT(name, sub, go) FIELD(name, OBJECT, sub, go, NULL)
#define LIST(name, sub, go) FIELD(name, LIST, sub, go, NULL)
/* Of an embedded struct, whose name is within. */
#define INNER(name, type, within) FIELD(name, type, NULL, NULL, within)
#define INNER_OBJECT(name, sub, go, within) FIELD(name, OBJECT, sub, go, within)
#define GVK(within) INNER("group", STR, within), INNER("version", STR, within), INNER("kind", STR, within)
#define RES_ID GVK("ResId.Gvk"), INNER("name", STR, "ResId"), INNER("namespace", STR, "ResId")

static const struct fx_field metadata_fields[] = {
        STR("name"), STR("namespace"), MAP("labels"), MAP("annotations"), {0}};
static const struct fx_field fieldspec_fields[] = {GVK("Gvk"), STR("path"), BOOL("create"), {0}};
static const struct fx_field label_fields[] = {MAP("pairs"), BOOL("includeSelectors"),
        BOOL("includeTemplates"), LIST("fields", fieldspec_fields, "FieldSpec"), {0}};
static const struct fx_field selector_fields[] = {
        RES_ID, STR("annotationSelector"), STR("labelSelector"), {0}};
static const struct fx_field patch_options[] = {BOOL("allowNameChange"), BOOL("allowKindChange"), {0}};
static const struct fx_field patch_fields[] = {STR("path"), STR("patch"),
        OBJECT("target", selector_fields, "Selector"), OBJECT("options", patch_options, "PatchArgs"), {0}};
static const struct fx_field image_fields[] = {
        STR("name"), STR("newName"), STR("tagSuffix"), STR("newTag"), STR("digest"), {0}};
static const struct fx_field replica_fields[] = {STR("name"), INT("count"), {0}};
static const struct fx_field value_options[] = {
        STR("delimiter"), INT("index"), STR("encoding"), BOOL("create"), {0}};
static const struct fx_field source_fields[] = {
        RES_ID, STR("fieldPath"), OBJECT("options", value_options, "FieldOptions"), {0}};
static const struct fx_field target_fields[] = {OBJECT("select", selector_fields, "Selector"),
        LIST("reject", selector_fields, "Selector"), STRS("fieldPaths"),
        OBJECT("options", value_options, "FieldOptions"), {0}};
const struct fx_field fx_replacement_fields[] = {
        INNER_OBJECT("source", source_fields, "SourceSelector", "Replacement"),
        FIELD("targets", LIST, target_fields, "TargetSelector", "Replacement"),
        INNER("sourceValue", STR, "Replacement"), STR("path"), {0}};
static const struct fx_field objref_fields[] = {STR("apiVersion"), RES_ID, {0}};
static const struct fx_field fieldref_fields[] = {STR("fieldPath"), {0}};
static const struct fx_field var_fields[] = {STR("name"), OBJECT("objref", objref_fields, "Target"),
        OBJECT("fieldref", fieldref_fields, "FieldSelector"), {0}};
static const struct fx_field legacy_fields[] = {STRS("orderFirst"), STRS("orderLast"), {0}};
static const struct fx_field sort_fields[] = {
        STR("order"), OBJECT("legacySortOptions", legacy_fields, "LegacySortOptions"), {0}};
static const struct fx_field generator_options[] = {
        MAP("labels"), MAP("annotations"), BOOL("disableNameSuffixHash"), BOOL("immutable"), {0}};
#define GENERATOR_FIELDS(within, sources)                                                                    \
	INNER("namespace", STR, within), INNER("name", STR, within), INNER("behavior", STR, within),         \
	        INNER("literals", STRS, sources), INNER("files", STRS, sources),                             \
	        INNER("envs", STRS, sources), INNER("env", STR, sources),                                    \
	        INNER_OBJECT("options", generator_options, "GeneratorOptions", within)
static const struct fx_field configmap_fields[] = {
        GENERATOR_FIELDS("GeneratorArgs", "GeneratorArgs.KvPairSources"), {0}};
static const struct fx_field secret_fields[] = {
        GENERATOR_FIELDS("GeneratorArgs", "GeneratorArgs.KvPairSources"), STR("type"), {0}};
static const struct fx_field helm_globals[] = {STR("chartHome"), STR("configHome"), {0}};
static const struct fx_field helm_fields[] = {STR("name"), STR("version"), STR("repo"), STR("releaseName"),
        STR("namespace"), STRS("additionalValuesFiles"), STR("valuesFile"), ANY("valuesInline"),
        STR("valuesMerge"), BOOL("includeCRDs"), BOOL("skipHooks"), STRS("apiVersions"), STR("kubeVersion"),
        STR("nameTemplate"), BOOL("skipTests"), BOOL("debug"), BOOL("devel"), {0}};
static const struct fx_field old_helm_fields[] = {STR("chartName"), STR("chartVersion"), STR("chartRepoUrl"),
        STR("chartHome"), STR("chartRepoName"), STR("helmBin"), STR("helmHome"), STR("values"),
        ANY("valuesLocal"), STR("valuesMerge"), STR("releaseName"), STR("releaseNamespace"),
        STRS("extraArgs"), {0}};

const struct fx_field fx_kustomization_fields[] = {
        STR("apiVersion"),
        STR("kind"),
        OBJECT("metadata", metadata_fields, "ObjectMeta"),
        MAP("openapi"),
        STR("namePrefix"),
        STR("nameSuffix"),
        STR("namespace"),
        MAP("commonLabels"),
        LIST("labels", label_fields, "Label"),
        MAP("commonAnnotations"),
        STRS("patchesStrategicMerge"),
        LIST("patchesJson6902", patch_fields, "Patch"),
        LIST("patches", patch_fields, "Patch"),
        LIST("images", image_fields, "Image"),
        LIST("imageTags", image_fields, "Image"),
        LIST("replacements", fx_replacement_fields, "ReplacementField"),
        LIST("replicas", replica_fields, "Replica"),
        LIST("vars", var_fields, "Var"),
        OBJECT("sortOptions", sort_fields, "SortOptions"),
        STRS("resources"),
        STRS("bases"),
        STRS("components"),
        STRS("crds"),
        LIST("configMapGenerator", configmap_fields, "ConfigMapArgs"),
        LIST("secretGenerator", secret_fields, "SecretArgs"),
        OBJECT("helmGlobals", helm_globals, "HelmGlobals"),
        LIST("helmCharts", helm_fields, "HelmChart"),
        LIST("helmChartInflationGenerator", old_helm_fields, "HelmChartArgs"),
        OBJECT("generatorOptions", generator_options, "GeneratorOptions"),
        STRS("configurations"),
        STRS("generators"),
        STRS("transformers"),
        STRS("validators"),
        STRS("buildMetadata"),
        {0},
};

/* ---- transformer configurations (builtinconfig.TransformerConfig) ---- */

#define SPECS(name) LIST(name, fieldspec_fields, "FieldSpec")

static const struct fx_field backref_fields[] = {GVK("Gvk"), SPECS("fieldSpecs"), {0}};
const struct fx_field fx_config_fields[] = {SPECS("namePrefix"), SPECS("nameSuffix"), SPECS("namespace"),
        SPECS("commonLabels"), SPECS("labels"), SPECS("templateLabels"), SPECS("commonAnnotations"),
        LIST("nameReference", backref_fields, "NameBackReferences"), SPECS("varReference"), SPECS("images"),
        SPECS("replicas"), {0}};

/* ---- configurations of the built-in plugins ---- */

static const struct fx_field annotations_plugin[] = {MAP("annotations"), SPECS("fieldSpecs"), {0}};
static const struct fx_field labels_plugin[] = {MAP("labels"), SPECS("fieldSpecs"), {0}};
static const struct fx_field image_plugin[] = {
        OBJECT("imageTag", image_fields, "Image"), SPECS("fieldSpecs"), {0}};
static const struct fx_field namespace_plugin[] = {OBJECT("metadata", metadata_fields, "ObjectMeta"),
        SPECS("fieldSpecs"), BOOL("unsetOnly"), STR("setRoleBindingSubjects"), {0}};
static const struct fx_field json6902_plugin[] = {
        OBJECT("target", selector_fields, "Selector"), STR("path"), STR("jsonOp"), {0}};
static const struct fx_field merge_plugin[] = {STRS("paths"), STR("patches"), {0}};
static const struct fx_field affix_plugin[] = {STR("prefix"), STR("suffix"), SPECS("fieldSpecs"), {0}};
static const struct fx_field replacement_plugin[] = {
        LIST("replacements", fx_replacement_fields, "ReplacementField"), {0}};
static const struct fx_field replica_plugin[] = {
        OBJECT("replica", replica_fields, "Replica"), SPECS("fieldSpecs"), {0}};
static const struct fx_field value_target[] = {
        OBJECT("selector", selector_fields, "Selector"), STR("fieldPath"), INT("filePathPosition"), {0}};
const struct fx_field fx_value_add_fields[] = {
        STR("value"), LIST("targets", value_target, "Target"), STR("targetFilePath"), {0}};
static const struct fx_field configmap_plugin[] = {OBJECT("metadata", metadata_fields, "ObjectMeta"),
        GENERATOR_FIELDS("ConfigMapArgs.GeneratorArgs", "ConfigMapArgs.GeneratorArgs.KvPairSources"), {0}};
static const struct fx_field secret_plugin[] = {OBJECT("metadata", metadata_fields, "ObjectMeta"),
        GENERATOR_FIELDS("SecretArgs.GeneratorArgs", "SecretArgs.GeneratorArgs.KvPairSources"),
        INNER("type", STR, "SecretArgs"), {0}};
static const struct fx_field iam_service[] = {STR("name"), STR("namespace"), {0}};
static const struct fx_field iam_account[] = {STR("name"), STR("projectId"), {0}};
static const struct fx_field iam_plugin[] = {INNER("cloud", STR, "IAMPolicyGeneratorArgs"),
        INNER_OBJECT("kubernetesService", iam_service, "KubernetesService", "IAMPolicyGeneratorArgs"),
        INNER_OBJECT("serviceAccount", iam_account, "ServiceAccount", "IAMPolicyGeneratorArgs"), {0}};

static const struct {
	const char *kind;
	const struct fx_field *fields;
} plugins[] = {
        {"AnnotationsTransformer", annotations_plugin},
        {"ConfigMapGenerator", configmap_plugin},
        {"IAMPolicyGenerator", iam_plugin},
        {"ImageTagTransformer", image_plugin},
        {"LabelTransformer", labels_plugin},
        {"NamespaceTransformer", namespace_plugin},
        {"PatchJson6902Transformer", json6902_plugin},
        {"PatchStrategicMergeTransformer", merge_plugin},
        {"PatchTransformer", patch_fields},
        {"PrefixSuffixTransformer", affix_plugin},
        {"PrefixTransformer", affix_plugin},
        {"ReplacementTransformer", replacement_plugin},
        {"ReplicaCountTransformer", replica_plugin},
        {"SecretGenerator", secret_plugin},
        {"SuffixTransformer", affix_plugin},
        {"ValueAddTransformer", fx_value_add_fields},
};

const struct fx_field *fx_plugin_fields(const char *kind)
{
	for (size_t i = 0; i < FX_COUNT(plugins); i++)
		if (strcmp(plugins[i].kind, kind) == 0)
			return plugins[i].fields;
	return NULL;
}
