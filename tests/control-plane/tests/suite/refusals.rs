//! What cannot work is refused by the API server itself, with one sentence that tells what to do.

use anyhow::{Result, bail};
use flexconnect_control_plane_tests::World;
use flexconnect_crds::FlexConnectServer;
use kube::api::{DynamicObject, PostParams};
use kube::{Api, Resource as _};
use serde_json::{Value, json};

/// Where a value is put, the value, and what the refusal has to say.
fn mistakes() -> Vec<(&'static str, Value, &'static str)> {
    let source = |changes: Value| {
        let mut source =
            json!({"id": "a", "endpoint": "https://b.example.com", "tokenSecret": {"name": "c", "key": "d"}});
        source
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        json!([source])
    };
    let load_balancer = json!({"via": {"loadBalancer": {"hostTemplate": "a-{replica}.example.com"}}});
    vec![
        (
            "/metadata/name",
            json!("a".repeat(53)),
            "metadata.name must have at most 52 characters",
        ),
        (
            "/metadata/name",
            json!("sales.eu"),
            "metadata.name must have at most 52 characters",
        ),
        (
            "/metadata/name",
            json!("1sales"),
            "metadata.name must have at most 52 characters",
        ),
        ("/spec/replicas", json!(-1), "spec.replicas"),
        ("/spec/replicas", json!(1001), "should be less than or equal to 1000"),
        (
            "/spec/server",
            json!({}),
            "set functions, for functions in Python, or server.image, to an image with functions in it",
        ),
        ("/spec/functions", json!({}), "spec.functions.image: Required value"),
        (
            "/spec/functions",
            json!({"image": "a b"}),
            "image must not hold white space",
        ),
        (
            "/spec/functions",
            json!({"image": "a", "imagePullPolicy": "Maybe"}),
            "imagePullPolicy must be Always, IfNotPresent or Never",
        ),
        (
            "/spec/functions",
            json!({"image": "a", "modules": ["a-b"]}),
            "modules must be names of Python modules, such as sales.report",
        ),
        (
            "/spec/functions",
            json!({"image": "a", "config": ["a.toml"]}),
            "config must be absolute paths",
        ),
        (
            "/spec/functions",
            json!({"image": "a", "workers": 0}),
            "should be greater than or equal to 1",
        ),
        (
            "/spec/functions",
            json!({"image": "a", "code": {}}),
            "set exactly one of code.configMap, code.persistentVolumeClaim and code.image",
        ),
        (
            "/spec/functions",
            json!({"image": "a", "code": {"configMap": {"name": "a"}, "image": {"reference": "b"}}}),
            "set exactly one of code.configMap, code.persistentVolumeClaim and code.image",
        ),
        (
            "/spec/functions",
            json!({"image": "a", "code": {"image": {"reference": "a b"}}}),
            "reference must not hold white space",
        ),
        (
            "/spec/functions",
            json!({"image": "a", "code": {"image": {"reference": "a", "pullPolicy": "Now"}}}),
            "pullPolicy must be Always, IfNotPresent or Never",
        ),
        (
            "/spec/server",
            json!({"image": "a", "upgrade": "Sometimes"}),
            "Unsupported value: \"Sometimes\"",
        ),
        ("/spec/server/image", json!("a b"), "image must not hold white space"),
        (
            "/spec/server/imagePullPolicy",
            json!("Maybe"),
            "imagePullPolicy must be Always, IfNotPresent or Never",
        ),
        (
            "/spec/server/env",
            json!([{"name": "A"}, {"name": "A"}]),
            "Duplicate value",
        ),
        (
            "/spec/disruptionBudget",
            json!({}),
            "set exactly one of disruptionBudget.maxUnavailable and disruptionBudget.minAvailable",
        ),
        (
            "/spec/autoscaling",
            json!({"minReplicas": 3, "maxReplicas": 2}),
            "autoscaling.minReplicas must not be more than autoscaling.maxReplicas",
        ),
        (
            "/spec/autoscaling",
            json!({}),
            "spec.autoscaling.maxReplicas: Required value",
        ),
        ("/spec/podTemplate", json!("text"), "spec.podTemplate"),
        (
            "/spec/tls",
            json!({"selfSigned": {}, "disabled": {}}),
            "set exactly one of tls.selfSigned and tls.disabled",
        ),
        (
            "/spec/tls",
            json!({}),
            "set exactly one of tls.selfSigned and tls.disabled",
        ),
        (
            "/spec/auth",
            json!({"generated": {}, "none": {}}),
            "set exactly one of auth.generated, auth.secret and auth.none",
        ),
        (
            "/spec/auth",
            json!({}),
            "set exactly one of auth.generated, auth.secret and auth.none",
        ),
        (
            "/spec/exposure",
            json!({"addressing": "Everybody"}),
            "Unsupported value: \"Everybody\"",
        ),
        (
            "/spec/exposure",
            json!({"via": {}}),
            "set exactly one of exposure.via.clusterIP and exposure.via.loadBalancer",
        ),
        (
            "/spec/exposure",
            json!({"via": {"clusterIP": {}, "loadBalancer": {"hostTemplate": "a-{replica}"}}}),
            "set exactly one of exposure.via.clusterIP and exposure.via.loadBalancer",
        ),
        (
            "/spec/exposure",
            json!({"via": {"loadBalancer": {"hostTemplate": "a"}}}),
            "hostTemplate must hold {replica}",
        ),
        ("/spec/settings", json!({"a": 1}), "spec.settings.a"),
        (
            "/spec/dataSources",
            source(json!({"id": ".a"})),
            "id must consist of letters, digits",
        ),
        (
            "/spec/dataSources",
            source(json!({"id": "a b"})),
            "id must consist of letters, digits",
        ),
        (
            "/spec/dataSources",
            source(json!({"endpoint": "http://b"})),
            "endpoint must start with https://",
        ),
        (
            "/spec/dataSources",
            source(json!({"endpoint": "https://b/"})),
            "endpoint must be a scheme and a host",
        ),
        (
            "/spec/dataSources",
            source(json!({"endpoint": "http://b", "insecureHttp": true, "caSecret": {"name": "a", "key": "b"}})),
            "caSecret is for an endpoint that starts with https://",
        ),
        (
            "/spec/dataSources",
            source(json!({"loadBalancing": "Best"})),
            "Unsupported value: \"Best\"",
        ),
        (
            "/spec",
            json!({"server": {"image": "a"}, "auth": {"none": {}}, "exposure": load_balancer}),
            "auth.none lets anybody who reaches the address outside the cluster call the functions",
        ),
    ]
}

#[tokio::test]
async fn every_mistake_is_refused_with_a_sentence() -> Result<()> {
    let world = World::new().await?;
    let resource = kube::api::ApiResource::erase::<FlexConnectServer>(&());
    let api = Api::<DynamicObject>::namespaced_with(world.admin.clone(), &world.namespace, &resource);
    for (pointer, value, expected) in mistakes() {
        let mut fleet = world.fleet().0;
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        fleet.pointer_mut(parent).unwrap()[field] = value.clone();
        let object: DynamicObject = serde_json::from_value(fleet)?;
        match api
            .create(
                &PostParams {
                    dry_run: true,
                    ..PostParams::default()
                },
                &object,
            )
            .await
        {
            Ok(_) => bail!("{pointer} = {value} is accepted"),
            Err(kube::Error::Api(status)) => {
                assert!(
                    status.message.contains(expected),
                    "{pointer} = {value}: {}",
                    status.message
                );
                assert!(
                    !status.message.contains("composed"),
                    "{pointer} = {value}: {}",
                    status.message
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
    assert_eq!(FlexConnectServer::kind(&()), "FlexConnectServer");
    world.end().await
}

#[tokio::test]
async fn what_only_the_operator_can_see_is_told_in_the_status_all_at_once() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    fleet.0["spec"]["replicas"] = json!(40);
    fleet.0["spec"]["settings"] = json!({"server": {"listen_port": 1}, "enumerated_tokens": {"tokens": ["a"]}});
    fleet.0["spec"]["server"]["env"] = json!([{"name": "POD_NAME", "value": "x"}]);
    world.apply(&fleet).await?;
    let message = world.condition("Ready", "False", "InvalidSpec").await?.message;
    for field in [
        "spec.replicas:",
        "spec.settings.server.listen_port:",
        "spec.settings.enumerated_tokens:",
        "spec.server.env[0].name:",
    ] {
        assert!(message.contains(field), "{message}");
    }

    let good = world.fleet();
    world.apply_and_register(&good).await?;
    world.apply(&fleet).await?;
    world.condition("Ready", "False", "InvalidSpec").await?;
    assert_eq!(
        world.registered_url(),
        Some(world.url_of(3)),
        "the fleet stays as it was"
    );
    world.end().await
}
