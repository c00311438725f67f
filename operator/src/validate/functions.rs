//! The functions in Python.

use flexconnect_crds as crd;

use super::{Errors, environment, image, resources, validate_object_name};
use crate::fleet::{Code, Functions};

pub(super) fn validate(functions: &crd::Functions, errors: &mut Errors) -> Functions {
    let at = |field: &str| format!("spec.functions.{field}");
    image::validate(&at("image"), &functions.image, errors);
    image::validate_policy(&at("imagePullPolicy"), functions.image_pull_policy.as_deref(), errors);
    for (index, module) in functions.modules.iter().enumerate() {
        if !module.split('.').all(is_identifier) {
            errors.field(
                at(&format!("modules[{index}]")),
                format!("{module:?} is not the name of a Python module, such as sales.report"),
            );
        }
    }
    for (index, path) in functions.config.iter().enumerate() {
        if !path.starts_with('/') {
            errors.field(
                at(&format!("config[{index}]")),
                format!("{path:?} is not an absolute path, such as /config/flexconnect.config.toml"),
            );
        }
    }
    if functions.workers.is_some_and(|workers| !(1..=1024).contains(&workers)) {
        errors.field(at("workers"), "must be between 1 and 1024");
    }
    environment::validate("spec.functions", &functions.env, errors);
    environment::validate_sources("spec.functions", &functions.env_from, errors);
    resources::validate("spec.functions", functions.resources.as_ref(), errors);
    Functions {
        image: functions.image.clone(),
        image_pull_policy: functions.image_pull_policy.clone(),
        modules: functions.modules.clone(),
        code: functions.code.as_ref().and_then(|code| validate_code(code, errors)),
        config: functions.config.clone(),
        workers: functions.workers,
        env: functions.env.clone(),
        env_from: functions.env_from.clone(),
        resources: functions.resources.clone(),
    }
}

fn validate_code(code: &crd::Code, errors: &mut Errors) -> Option<Code> {
    let at = |field: &str| format!("spec.functions.code.{field}");
    match (&code.config_map, &code.persistent_volume_claim, &code.image) {
        (Some(map), None, None) => validate_object_name(&at("configMap.name"), "ConfigMap", &map.name, errors)
            .then(|| Code::ConfigMap(map.name.clone())),
        (None, Some(claim), None) => {
            let field = at("persistentVolumeClaim.claimName");
            validate_object_name(&field, "PersistentVolumeClaim", &claim.claim_name, errors)
                .then(|| Code::Claim(claim.claim_name.clone()))
        }
        (None, None, Some(files)) => {
            image::validate_policy(&at("image.pullPolicy"), files.pull_policy.as_deref(), errors);
            image::validate(&at("image.reference"), &files.reference, errors).then(|| Code::Image {
                reference: files.reference.clone(),
                pull_policy: files.pull_policy.clone(),
            })
        }
        _ => {
            errors.field(
                "spec.functions.code",
                "set exactly one of code.configMap, code.persistentVolumeClaim and code.image",
            );
            None
        }
    }
}

fn is_identifier(part: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    part.bytes().all(inner) && part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}
