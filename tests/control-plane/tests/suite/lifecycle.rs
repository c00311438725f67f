//! From an object to a registered fleet, and through its changes.

use anyhow::Result;
use flexconnect_control_plane_tests::{World, eventually};
use flexconnect_crds::FlexConnectServer;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount};
use kube::ResourceExt as _;
use kube::api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

#[tokio::test]
async fn an_applied_object_becomes_a_registered_fleet() -> Result<()> {
    let world = World::new().await?;
    world.apply(&world.fleet()).await?;
    world.condition("Ready", "False", "ReplicasNotReady").await?;
    world.condition("Registered", "False", "WaitingForReplicas").await?;
    assert_eq!(
        world.registered_url(),
        None,
        "nothing is registered before the replicas are ready"
    );

    let set = world.make_ready().await?;
    world.condition("Ready", "True", "AllReplicasReady").await?;
    world.condition("Registered", "True", "Registered").await?;
    assert_eq!(world.registered_url(), Some(world.url_of(3)));

    let token = world.api::<Secret>().get("sales-token").await?;
    let token = String::from_utf8(token.data.unwrap()["token"].0.clone())?;
    let source = world.gooddata.data_source("sales").unwrap();
    assert_eq!(source.kind(), "FLEXCONNECT");
    assert_eq!(source.parameter("loadBalancing"), Some("round-robin"));
    assert!(source.parameter("tlsRootCertificate").is_some());
    assert!(
        format!("{:?}", source.token().map(|_| ())).contains("Some"),
        "a token was sent"
    );
    assert_eq!(token.len(), 43);

    let object = world.api::<FlexConnectServer>().get("sales").await?;
    let status = object.status.clone().unwrap();
    assert_eq!((status.replicas, status.ready_replicas), (3, 3));
    assert_eq!(status.observed_generation, object.metadata.generation);
    assert_eq!(status.endpoints.iter().filter(|endpoint| endpoint.ready).count(), 3);
    assert_eq!(status.data_sources[0].organization.as_deref(), Some("sandbox"));
    assert!(
        !serde_json::to_string(&object)?.contains(&token),
        "the token stays out of the object"
    );
    assert!(
        !serde_json::to_string(&set)?.contains(&token),
        "the token stays out of the StatefulSet"
    );
    world.end().await
}

#[tokio::test]
async fn a_second_pass_writes_nothing() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    // Amounts that the API server writes in its own way, and an empty value that it leaves out.
    fleet.0["spec"]["server"]["resources"] =
        json!({"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": "0.5"}});
    fleet.0["spec"]["server"]["env"] = json!([{"name": "EMPTY", "value": ""}, {"name": "SET", "value": "x"}]);
    fleet.0["spec"]["settings"] = json!({"sales": {"b": [1, 2.5, "x"], "a": {"deep": true}}});
    world.apply_and_register(&fleet).await?;
    world.pass().await?;

    let (kubernetes, gooddata) = (world.operator_writes(), world.gooddata.writes());
    world.pass().await?;
    world.pass().await?;
    assert_eq!(world.operator_writes() - kubernetes, 0, "writes to Kubernetes");
    assert_eq!(world.gooddata.writes() - gooddata, 0, "writes to GoodData");
    world.end().await
}

#[tokio::test]
async fn convergence_needs_few_writes() -> Result<()> {
    let world = World::new().await?;
    world.apply_and_register(&world.fleet()).await?;
    world.pass().await?;
    // Ten children (CA, TLS, token, config, four Services, budget, StatefulSet), the finalizer, and a status for each step.
    assert!(world.operator_writes() <= 14, "{} writes", world.operator_writes());
    assert_eq!(world.gooddata.writes(), 1);
    world.end().await
}

#[tokio::test]
async fn a_replica_joins_when_it_is_ready_and_stays_when_it_is_not() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    world.apply_and_register(&fleet).await?;

    fleet.0["spec"]["replicas"] = json!(5);
    world.apply(&fleet).await?;
    world
        .object::<StatefulSet>("sales", "five replicas", |set| {
            set.spec.as_ref().unwrap().replicas == Some(5)
        })
        .await?;
    world.make_ready_but(2).await?;
    world.condition("Ready", "False", "ReplicasNotReady").await?;
    world.pass().await?;
    assert_eq!(world.registered_url(), Some(world.url_of(3)));

    world.make_ready().await?;
    world.condition("Ready", "True", "AllReplicasReady").await?;
    eventually(
        "five URLs",
        async || Ok(world.registered_url()),
        |url| *url == Some(world.url_of(5)),
    )
    .await?;

    world.make_ready_but(1).await?;
    world.condition("Ready", "False", "ReplicasNotReady").await?;
    world.pass().await?;
    assert_eq!(
        world.registered_url(),
        Some(world.url_of(5)),
        "a replica that is down for a while stays registered"
    );
    world.condition("Registered", "True", "Registered").await?;
    world.end().await
}

#[tokio::test]
async fn a_replica_goes_after_its_url() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    world.apply_and_register(&fleet).await?;

    world.gooddata.inject([flexconnect_sandbox::Fault::down()]);
    fleet.0["spec"]["replicas"] = json!(2);
    world.apply(&fleet).await?;
    world.condition("Registered", "False", "Unavailable").await?;
    let replicas = |set: &StatefulSet| set.spec.as_ref().unwrap().replicas;
    let set = world.api::<StatefulSet>().get("sales").await?;
    assert_eq!(replicas(&set), Some(3), "GoodData still knows the third replica");

    world.gooddata.heal();
    world
        .object("sales", "two replicas", |set: &StatefulSet| replicas(set) == Some(2))
        .await?;
    assert_eq!(
        world.registered_url(),
        Some(world.url_of(2)),
        "the URL is gone before the replica"
    );
    // The third pod still drains, and its results are read through its Service.
    assert!(world.api::<Service>().get_opt("sales-2").await?.is_some());
    world.make_ready().await?;
    let services = world.api::<Service>();
    eventually(
        "its Service is gone",
        async || Ok(services.get_opt("sales-2").await?),
        Option::is_none,
    )
    .await?;
    world.end().await
}

#[tokio::test]
async fn a_stopped_fleet_keeps_its_data_source() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    world.apply_and_register(&fleet).await?;
    fleet.0["spec"]["replicas"] = json!(0);
    world.apply(&fleet).await?;
    world.condition("Ready", "False", "Stopped").await?;
    world.condition("Registered", "False", "Stopped").await?;
    assert_eq!(world.registered_url(), Some(world.url_of(3)));

    fleet.0["spec"]["replicas"] = json!(2);
    world.apply(&fleet).await?;
    world
        .object::<StatefulSet>("sales", "two replicas", |set| {
            set.spec.as_ref().unwrap().replicas == Some(2)
        })
        .await?;
    world.make_ready().await?;
    world.condition("Registered", "True", "Registered").await?;
    assert_eq!(world.registered_url(), Some(world.url_of(2)));
    world.end().await
}

#[tokio::test]
async fn changed_children_are_repaired() -> Result<()> {
    let world = World::new().await?;
    world.apply_and_register(&world.fleet()).await?;
    let service = world.api::<Service>().get("sales-1").await?;
    let patch = json!({"spec": {"selector": {"statefulset.kubernetes.io/pod-name": "other-1"}}});
    world
        .api::<Service>()
        .patch("sales-1", &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    let selector = |service: &Service| service.spec.as_ref().unwrap().selector.clone();
    world
        .object("sales-1", "its selector again", |now: &Service| {
            selector(now) == selector(&service)
        })
        .await?;

    world.api::<Service>().delete("sales-2", &Default::default()).await?;
    world.object("sales-2", "the Service again", |_: &Service| true).await?;
    world
        .api::<ConfigMap>()
        .delete("sales-config", &Default::default())
        .await?;
    world.pass().await?;
    world
        .object("sales-config", "the ConfigMap again", |_: &ConfigMap| true)
        .await?;
    world.end().await
}

#[tokio::test]
async fn children_that_are_no_longer_built_are_deleted() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    world.apply_and_register(&fleet).await?;
    fleet.0["spec"]["tls"] = json!({"disabled": {}});
    fleet.0["spec"]["auth"] = json!({"none": {}});
    world.apply(&fleet).await?;
    let secrets = world.api::<Secret>();
    for name in ["sales-ca", "sales-tls", "sales-token"] {
        eventually(
            "a Secret is gone",
            async || Ok(secrets.get_opt(name).await?.map(|secret| secret.name_any())),
            Option::is_none,
        )
        .await?;
    }
    let mounts_nothing = |set: &StatefulSet| !serde_json::to_string(set).unwrap().contains("secretName");
    world.object("sales", "pods without Secrets", mounts_nothing).await?;
    world.make_ready().await?;
    let plain = world.url_of(3).replace("grpc+tls", "grpc");
    eventually(
        "plain URLs",
        async || Ok(world.registered_url()),
        |url| url.as_deref() == Some(&plain),
    )
    .await?;
    world.end().await
}

#[tokio::test]
async fn the_pods_meet_the_restricted_profile() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    fleet.0["spec"]["functions"] = json!({"image": "mine:1", "code": {"configMap": {"name": "sources"}}});
    world.apply(&fleet).await?;
    let set = world.object::<StatefulSet>("sales", "a StatefulSet", |_| true).await?;
    let account: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": "default"}}))?;
    world.api().create(&PostParams::default(), &account).await?;
    let template = set.spec.unwrap().template;
    let pod = Pod {
        metadata: ObjectMeta {
            name: Some("sales-0".to_owned()),
            ..template.metadata.unwrap()
        },
        spec: template.spec,
        status: None,
    };
    world
        .api::<Pod>()
        .create(
            &PostParams {
                dry_run: true,
                ..PostParams::default()
            },
            &pod,
        )
        .await?;
    world.end().await
}

#[tokio::test]
async fn the_scale_subresource_knows_the_fleet() -> Result<()> {
    let world = World::new().await?;
    world.apply_and_register(&world.fleet()).await?;
    let scale = world.api::<FlexConnectServer>().get_scale("sales").await?;
    assert_eq!(
        (scale.spec.unwrap().replicas, scale.status.as_ref().unwrap().replicas),
        (Some(3), 3)
    );
    assert_eq!(
        scale.status.unwrap().selector.as_deref(),
        Some("app.kubernetes.io/instance=sales,app.kubernetes.io/name=flexconnect-server")
    );
    let patch = json!({"spec": {"replicas": 4}});
    world
        .api::<FlexConnectServer>()
        .patch_scale("sales", &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    world
        .object::<StatefulSet>("sales", "four replicas", |set| {
            set.spec.as_ref().unwrap().replicas == Some(4)
        })
        .await?;
    assert_eq!(
        world.api::<Service>().list(&ListParams::default()).await?.items.len(),
        5
    );
    world.end().await
}

#[tokio::test]
async fn settings_from_a_secret_reach_the_pods_when_it_is_there() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    fleet.0["spec"]["settingsFrom"] = json!([{"secret": {"name": "hidden"}}]);
    world.apply(&fleet).await?;
    let message = world.condition("Ready", "False", "ReferenceMissing").await?.message;
    assert!(
        message.contains("spec.settingsFrom[0].secret: there is no Secret \"hidden\""),
        "{message}"
    );

    world
        .secret("hidden", "sales.toml", "sales.password = 'hunter2'")
        .await?;
    world.object::<StatefulSet>("sales", "a StatefulSet", |_| true).await?;
    let secret = world.api::<Secret>().get("sales-config").await?;
    let text = String::from_utf8(secret.data.unwrap()["settings.toml"].0.clone())?;
    assert_eq!(text, "[sales]\npassword = \"hunter2\"\n");

    fleet.0["spec"]["settingsFrom"] = json!([]);
    world.apply(&fleet).await?;
    let secrets = world.api::<Secret>();
    eventually(
        "the Secret is gone",
        async || Ok(secrets.get_opt("sales-config").await?.map(|secret| secret.name_any())),
        Option::is_none,
    )
    .await?;
    world.end().await
}

#[tokio::test]
async fn a_fleet_keeps_the_image_that_its_operator_gave_it() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    fleet.0["spec"]["server"] = json!({});
    fleet.0["spec"]["functions"] = json!({"image": "mine:1"});
    let object = world.apply_and_register(&fleet).await?;
    let image = object.status.unwrap().server_image;
    assert_eq!(image.as_deref(), Some(flexconnect_operator::dereference::SERVER_IMAGE));
    let set = world.api::<StatefulSet>().get("sales").await?;
    assert_eq!(set.spec.unwrap().template.spec.unwrap().containers[0].image, image);
    world.end().await
}
