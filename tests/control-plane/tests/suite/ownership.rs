//! What belongs to somebody else is never taken over.

use anyhow::Result;
use flexconnect_control_plane_tests::{World, eventually};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

#[tokio::test]
async fn a_service_of_somebody_else_is_not_touched() -> Result<()> {
    let world = World::new().await?;
    let theirs: Service = serde_json::from_value(json!({
        "metadata": {"name": "sales-1"}, "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]}
    }))?;
    let theirs = world.api().create(&PostParams::default(), &theirs).await?;
    world.apply(&world.fleet()).await?;
    let condition = world.condition("Ready", "False", "ForeignObject").await?;
    assert!(
        condition.message.contains("Service \"sales-1\""),
        "{}",
        condition.message
    );
    assert_eq!(world.api::<Service>().get("sales-1").await?.metadata, theirs.metadata);
    assert!(
        world.api::<StatefulSet>().get_opt("sales").await?.is_none(),
        "the pods come last"
    );

    world
        .api::<Service>()
        .delete("sales-1", &DeleteParams::default())
        .await?;
    eventually(
        "it goes on",
        async || Ok(world.api::<StatefulSet>().get_opt("sales").await?),
        Option::is_some,
    )
    .await?;
    world.end().await
}

#[tokio::test]
async fn the_token_in_a_secret_of_somebody_else_is_not_used() -> Result<()> {
    let world = World::new().await?;
    world.secret("sales-token", "token", "theirs").await?;
    world.apply(&world.fleet()).await?;
    let condition = world.condition("Ready", "False", "ForeignObject").await?;
    assert!(
        condition.message.contains("Secret \"sales-token\""),
        "{}",
        condition.message
    );
    let secret = world.api::<Secret>().get("sales-token").await?;
    assert_eq!(
        secret
            .data
            .unwrap()
            .into_iter()
            .map(|(key, value)| (key, value.0))
            .collect::<Vec<_>>(),
        [("token".to_owned(), b"theirs".to_vec())]
    );
    world.end().await
}
