//! A deletion takes the data source along where it shall, and always ends.

use anyhow::Result;
use flexconnect_control_plane_tests::{World, eventually};
use flexconnect_crds::{FINALIZER, FlexConnectServer};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

async fn wait_for_event(world: &World, reason: &str) -> Result<()> {
    let events = world.api::<Event>();
    let look = async || {
        let events = events.list(&ListParams::default()).await?.items;
        Ok(events.into_iter().filter_map(|event| event.reason).collect::<Vec<_>>())
    };
    eventually(reason, look, |seen| seen.iter().any(|seen| seen == reason))
        .await
        .map(|_| ())
}

#[tokio::test]
async fn the_policy_delete_deletes() -> Result<()> {
    let world = World::new().await?;
    let object = world.apply_and_register(&world.fleet()).await?;
    assert!(object.finalizers().contains(&FINALIZER.to_owned()));
    world.delete().await?;
    assert_eq!(world.gooddata.data_source_ids(), Vec::<String>::new());
    wait_for_event(&world, "DataSourceDeleted").await?;
    world.end().await
}

#[tokio::test]
async fn the_policy_retain_retains() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    fleet.0["spec"]["dataSources"][0]["deletionPolicy"] = json!("Retain");
    let object = world.apply_and_register(&fleet).await?;
    assert!(object.finalizers().is_empty(), "nothing to wait for");
    world.delete().await?;
    assert_eq!(world.gooddata.data_source_ids(), ["sales"]);
    world.end().await
}

#[tokio::test]
async fn a_change_of_the_policy_takes_the_finalizer_away() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    world.apply_and_register(&fleet).await?;
    fleet.0["spec"]["dataSources"][0]["deletionPolicy"] = json!("Retain");
    world.apply(&fleet).await?;
    world
        .object::<FlexConnectServer>("sales", "no finalizer", |object| object.finalizers().is_empty())
        .await?;
    world.end().await
}

#[tokio::test]
async fn a_fleet_that_never_was_valid_can_be_deleted() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    fleet.0["spec"]["settings"] = json!({"server": {"listen_port": 1}});
    world.apply(&fleet).await?;
    world.condition("Ready", "False", "InvalidSpec").await?;
    world.delete().await?;
    world.end().await
}

#[tokio::test]
async fn missing_credentials_do_not_hold_a_deletion_up_for_ever() -> Result<()> {
    let world = World::new().await?;
    world.apply_and_register(&world.fleet()).await?;
    world
        .api::<Secret>()
        .delete("gooddata", &DeleteParams::default())
        .await?;
    world.delete().await?;
    assert_eq!(world.gooddata.data_source_ids(), ["sales"], "left behind");
    wait_for_event(&world, "DataSourceLeftBehind").await?;
    world.end().await
}

#[tokio::test]
async fn a_deletion_waits_for_a_gooddata_that_is_down() -> Result<()> {
    let world = World::new().await?;
    world.apply_and_register(&world.fleet()).await?;
    world.gooddata.inject([flexconnect_sandbox::Fault::down()]);
    world
        .api::<FlexConnectServer>()
        .delete("sales", &DeleteParams::default())
        .await?;
    let is_told = |object: &FlexConnectServer| {
        let conditions = object.status.iter().flat_map(|status| &status.conditions);
        conditions.clone().any(|condition| {
            condition
                .message
                .starts_with("cannot delete it yet: data source sales at http://")
        })
    };
    world.object("sales", "the reason is told", is_told).await?;

    world.gooddata.heal();
    let api = world.api::<FlexConnectServer>();
    eventually("it is gone", async || Ok(api.get_opt("sales").await?), Option::is_none).await?;
    assert_eq!(world.gooddata.data_source_ids(), Vec::<String>::new());
    world.end().await
}
