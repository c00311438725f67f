//! Why pods are made anew, for people. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;

/// The prefix of the annotations of the pods that stand for what they read when they start.
const PREFIX: &str = "flexconnect.dev/";

/// What differs between the templates of two `StatefulSet`s, in words.
#[must_use]
pub fn causes(live: &StatefulSet, desired: &StatefulSet) -> String {
    let none = BTreeMap::new();
    let (before, after) = (
        annotations(live).unwrap_or(&none),
        annotations(desired).unwrap_or(&none),
    );
    let mut causes: Vec<_> = before
        .keys()
        .chain(after.keys())
        .filter(|name| name.starts_with(PREFIX) && before.get(*name) != after.get(*name))
        .map(|name| format!("the {}", &name[PREFIX.len()..]))
        .collect();
    let pod = |set: &StatefulSet| set.spec.as_ref().and_then(|spec| spec.template.spec.clone());
    let images = |set: &StatefulSet| {
        let pod = pod(set).unwrap_or_default();
        let images = pod
            .containers
            .into_iter()
            .chain(pod.init_containers.unwrap_or_default());
        images
            .map(|container| (container.name, container.image))
            .collect::<BTreeMap<_, _>>()
    };
    for (name, image) in images(desired) {
        if let Some(image) = image.filter(|image| images(live).get(&name) != Some(&Some(image.clone()))) {
            causes.push(format!("the image of {name}, now {image}"));
        }
    }
    causes.sort();
    causes.dedup();
    if causes.is_empty() {
        causes.push("the template of the pods".to_owned());
    }
    causes.join(", ")
}

fn annotations(set: &StatefulSet) -> Option<&BTreeMap<String, String>> {
    set.spec.as_ref()?.template.metadata.as_ref()?.annotations.as_ref()
}
