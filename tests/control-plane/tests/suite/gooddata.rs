//! Whatever GoodData does, the fleet serves, and its data source is brought back to what it shall be.

use anyhow::Result;
use flexconnect_control_plane_tests::{World, eventually};
use flexconnect_crds::{ConnectionTest, FlexConnectServer, FlexConnectServerStatus};
use flexconnect_sandbox::{Fault, FaultKind};
use k8s_openapi::api::apps::v1::StatefulSet;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::json;

/// Changes the data source over there, as an administrator of GoodData would.
async fn change(world: &World, method: reqwest::Method, body: Option<serde_json::Value>) -> Result<()> {
    let url = format!("{}/api/v1/entities/dataSources/sales", world.gooddata.endpoint());
    let mut request = reqwest::Client::new()
        .request(method, url)
        .header(AUTHORIZATION, "Bearer sandbox-token")
        .header(CONTENT_TYPE, "application/vnd.gooddata.api+json");
    if let Some(body) = body {
        request = request.body(body.to_string());
    }
    request.send().await?.error_for_status()?;
    Ok(())
}

#[tokio::test]
async fn a_data_source_that_was_changed_over_there_is_repaired() -> Result<()> {
    let world = World::new().await?;
    world.apply_and_register(&world.fleet()).await?;
    let attributes = json!({"type": "FLEXCONNECT", "url": "grpc://elsewhere:1", "cacheStrategy": "ALWAYS"});
    let body = json!({"data": {"id": "sales", "type": "dataSource", "attributes": attributes}});
    change(&world, reqwest::Method::PATCH, Some(body)).await?;
    assert_eq!(world.registered_url().as_deref(), Some("grpc://elsewhere:1"));
    world.pass().await?;
    assert_eq!(world.registered_url(), Some(world.url_of(3)));
    assert_eq!(
        world.gooddata.data_source("sales").unwrap().attributes()["cacheStrategy"],
        "NEVER"
    );
    world.end().await
}

#[tokio::test]
async fn a_data_source_that_was_deleted_over_there_comes_back() -> Result<()> {
    let world = World::new().await?;
    world.apply_and_register(&world.fleet()).await?;
    change(&world, reqwest::Method::DELETE, None).await?;
    assert_eq!(world.registered_url(), None);
    world.pass().await?;
    eventually(
        "it is back",
        async || Ok(world.registered_url()),
        |url| *url == Some(world.url_of(3)),
    )
    .await?;
    world.end().await
}

/// The fleet is applied although GoodData does not work, says why, and is registered once it does.
async fn survives(fault: FaultKind, reason: &str) -> Result<()> {
    let world = World::new().await?;
    world.gooddata.inject([Fault::new(fault)]);
    world.apply(&world.fleet()).await?;
    world.make_ready().await?;
    let condition = world.condition("Registered", "False", reason).await?;
    assert!(
        condition.message.contains(&world.gooddata.endpoint()),
        "{}",
        condition.message
    );
    assert!(!condition.message.contains("sandbox-token"), "{}", condition.message);
    world.condition("Ready", "True", "AllReplicasReady").await?;
    assert_eq!(world.gooddata.data_source_ids(), Vec::<String>::new());

    world.gooddata.heal();
    world.condition("Registered", "True", "Registered").await?;
    assert_eq!(world.registered_url(), Some(world.url_of(3)));
    world.end().await
}

#[tokio::test]
async fn gooddata_is_down() -> Result<()> {
    survives(FaultKind::Down, "Unavailable").await
}

#[tokio::test]
async fn gooddata_does_not_accept_the_token() -> Result<()> {
    survives(FaultKind::Unauthorized, "Unauthorized").await
}

#[tokio::test]
async fn gooddata_answers_garbage() -> Result<()> {
    survives(FaultKind::Garbage, "UnexpectedAnswer").await
}

#[tokio::test]
async fn nobody_listens() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    fleet.0["spec"]["dataSources"][0]["endpoint"] = json!("http://127.0.0.1:1");
    fleet.0["spec"]["dataSources"][0]["deletionPolicy"] = json!("Retain");
    world.apply(&fleet).await?;
    world.make_ready().await?;
    world.condition("Registered", "False", "Unreachable").await?;
    world.condition("Ready", "True", "AllReplicasReady").await?;
    world.delete().await?;
    world.end().await
}

#[tokio::test]
async fn the_credentials_come_later() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    fleet.0["spec"]["dataSources"][0]["tokenSecret"] = json!({"name": "later", "key": "token"});
    world.apply(&fleet).await?;
    world.make_ready().await?;
    let condition = world.condition("Registered", "False", "CredentialsMissing").await?;
    assert!(
        condition.message.contains("there is no Secret \"later\""),
        "{}",
        condition.message
    );
    world.condition("Ready", "True", "AllReplicasReady").await?;
    world.secret("later", "token", "sandbox-token").await?;
    world.condition("Registered", "True", "Registered").await?;
    world.end().await
}

#[tokio::test]
async fn a_data_source_of_somebody_else_is_left_alone() -> Result<()> {
    let world = World::new().await?;
    let attributes = json!({"name": "x", "type": "FLEXCONNECT", "schema": "", "url": "grpc://theirs:1"});
    let body = json!({"data": {"id": "sales", "type": "dataSource", "attributes": attributes}});
    let url = format!("{}/api/v1/entities/dataSources", world.gooddata.endpoint());
    let request = reqwest::Client::new()
        .post(url)
        .header(AUTHORIZATION, "Bearer sandbox-token");
    request
        .header(CONTENT_TYPE, "application/vnd.gooddata.api+json")
        .body(body.to_string())
        .send()
        .await?
        .error_for_status()?;
    world.apply(&world.fleet()).await?;
    world.make_ready().await?;
    world.condition("Registered", "False", "ForeignDataSource").await?;
    world.delete().await?;
    assert_eq!(
        world.registered_url().as_deref(),
        Some("grpc://theirs:1"),
        "neither changed nor deleted"
    );
    world.end().await
}

#[tokio::test]
async fn one_data_source_in_trouble_does_not_hold_up_the_other() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    let mut dead = fleet.0["spec"]["dataSources"][0].clone();
    dead["endpoint"] = json!("http://127.0.0.1:1");
    dead["deletionPolicy"] = json!("Retain");
    fleet.0["spec"]["dataSources"].as_array_mut().unwrap().insert(0, dead);
    world.apply(&fleet).await?;
    world.make_ready().await?;
    world.condition("Registered", "False", "Unreachable").await?;
    eventually(
        "the other is there",
        async || Ok(world.registered_url()),
        |url| *url == Some(world.url_of(3)),
    )
    .await?;
    world.object::<StatefulSet>("sales", "the fleet", |_| true).await?;
    world.end().await
}

#[tokio::test]
async fn results_are_forgotten_after_a_roll_out_where_they_are_kept() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    fleet.0["spec"]["dataSources"][0]["cacheStrategy"] = json!("Always");
    fleet.0["spec"]["settings"] = json!({"server": {"propagation_delay_sec": 0}});
    let told = async || -> Result<()> {
        let set = world.api::<StatefulSet>().get("sales").await?;
        let revision = set.status.and_then(|status| status.update_revision);
        let api = world.api::<FlexConnectServer>();
        let told = |status: &Option<FlexConnectServerStatus>| {
            let sources = status.iter().flat_map(|status| &status.data_sources);
            sources.clone().any(|source| source.notified_revision == revision)
        };
        eventually("GoodData was told", async || Ok(api.get("sales").await?.status), told).await?;
        Ok(())
    };
    let notifications = || {
        world
            .gooddata
            .counters()
            .upload_notifications
            .get("sales")
            .copied()
            .unwrap_or(0)
    };
    world.apply_and_register(&fleet).await?;
    told().await?;
    assert_eq!(notifications(), 0, "what is new has no results to forget");
    fleet.0["spec"]["server"]["image"] = json!("sales:2");
    world.apply(&fleet).await?;
    world.roll_out().await?;
    told().await?;
    assert_eq!(notifications(), 1);
    world.pass().await?;
    assert_eq!(notifications(), 1, "once for each roll-out");
    let source = world
        .api::<FlexConnectServer>()
        .get("sales")
        .await?
        .status
        .unwrap()
        .data_sources
        .remove(0);
    assert_eq!(source.connection_test, Some(ConnectionTest::Succeeded));
    assert!(source.last_sync.is_some());
    world.end().await
}
