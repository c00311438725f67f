//! Functions in Python, in a container of their own beside the server.

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, ResourceRequirements};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::LocalReference;

/// Functions in Python, in a container of their own beside the server: what they do wrong is theirs alone.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Functions {
    /// The image with `CPython` 3.10 to 3.14, pyarrow, gooddata-flexconnect and whatever the functions need; nothing of the
    /// server. It runs as user 1000; where its files belong to another one, say so in `podTemplate`.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^[^ \\\\t\\\\n]+$')").message("image must not hold white space"))]
    pub image: String,

    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`. Without it the cluster decides by the image's tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self in ['Always', 'IfNotPresent', 'Never']").message("imagePullPolicy must be Always, IfNotPresent or Never"))]
    #[schemars(length(max = 12))]
    pub image_pull_policy: Option<String>,

    /// The Python modules with the functions: `sales.report`. Without any, those that the image's own configuration names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 255)))]
    #[x_kube(validation = Rule::new("self.all(module, module.matches('^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*$'))").message("modules must be names of Python modules, such as sales.report"))]
    pub modules: Vec<String>,

    /// Where the modules come from when they are not in the image. They go before those of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,

    /// Configuration files in the image, as absolute paths, whose tables the functions see below those of `settings`.
    /// Without any, `/config/flexconnect.config.toml` if it is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 1024)))]
    #[x_kube(validation = Rule::new("self.all(path, path.startsWith('/'))").message("config must be absolute paths, such as /config/flexconnect.config.toml"))]
    pub config: Vec<String>,

    /// How many processes run the functions. Without it one for each CPU, as far as the memory goes; modules that share
    /// state in their globals need 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub workers: Option<u16>,

    /// Environment variables of the functions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,

    /// Secrets and `ConfigMaps`, all of whose keys become environment variables of the functions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub env_from: Vec<EnvFromSource>,

    /// CPU and memory that the functions of each replica ask for, and those they may use at most. What they return counts
    /// here for as long as it is kept: a quarter of the memory is set aside for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
}

/// Where modules come from. Set exactly one.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.configMap), has(self.persistentVolumeClaim), has(self.image)].filter(set, set).size() == 1")
        .message("set exactly one of code.configMap, code.persistentVolumeClaim and code.image")
)]
pub struct Code {
    /// A `ConfigMap` whose keys are files: `sales.py`. Functions follow its changes without a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<LocalReference>,

    /// A volume that the pods of all replicas can read. Functions follow changes of its files without a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<Claim>,

    /// An image that holds nothing but files; for clusters that can mount images as volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<CodeImage>,
}

/// A claim of a volume, in the namespace of the fleet.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The claim's name.
    #[schemars(length(min = 1, max = 253))]
    pub claim_name: String,
}

/// An image that holds nothing but files.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CodeImage {
    /// The image.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^[^ \\\\t\\\\n]+$')").message("reference must not hold white space"))]
    pub reference: String,

    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`. Without it the cluster decides by the image's tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self in ['Always', 'IfNotPresent', 'Never']").message("pullPolicy must be Always, IfNotPresent or Never"))]
    #[schemars(length(max = 12))]
    pub pull_policy: Option<String>,
}
