//! Replicas are replaced one after the other, none of them while GoodData calls it.

use anyhow::Result;
use flexconnect_control_plane_tests::{Fleet, World, eventually};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

/// A fleet whose replicas are quiet as soon as nobody names them.
fn fleet(world: &World, replicas: u16) -> Fleet {
    let mut fleet = world.fleet();
    fleet.0["spec"]["replicas"] = json!(replicas);
    fleet.0["spec"]["settings"] = json!({"server": {"propagation_delay_sec": 0}});
    fleet
}

async fn images(world: &World, replicas: u16) -> Result<Vec<String>> {
    let mut images = Vec::new();
    for ordinal in 0..replicas {
        let pod = world.api::<Pod>().get(&format!("sales-{ordinal}")).await?;
        images.extend(
            pod.spec
                .unwrap_or_default()
                .containers
                .into_iter()
                .filter_map(|container| container.image),
        );
    }
    Ok(images)
}

#[tokio::test]
async fn every_replica_is_replaced_after_its_url_is_gone() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = fleet(&world, 3);
    world.apply_and_register(&fleet).await?;
    fleet.0["spec"]["server"]["image"] = json!("sales:2");
    world.apply(&fleet).await?;
    // The new template comes with a partition that keeps every pod as it is.
    let is_new = |set: &StatefulSet| {
        let spec = set.spec.clone().unwrap_or_default();
        let image = spec.template.spec.unwrap_or_default().containers[0].image.clone();
        image.as_deref() == Some("sales:2")
    };
    let set = world.object("sales", "the new template", is_new).await?;
    let strategy = set.spec.unwrap().update_strategy.unwrap();
    assert_eq!(strategy.rolling_update.unwrap().partition, Some(3));

    // Each round fails if a replica is ended while it is named.
    world.roll_out().await?;
    assert_eq!(images(&world, 3).await?, ["sales:2"; 3]);
    assert_eq!(world.registered_url(), Some(world.url_of(3)));
    world.condition("Progressing", "True", "RolloutComplete").await?;
    world.end().await
}

#[tokio::test]
async fn a_fleet_of_one_is_replaced_by_surge() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = fleet(&world, 1);
    world.apply_and_register(&fleet).await?;
    fleet.0["spec"]["server"]["image"] = json!("sales:2");
    world.apply(&fleet).await?;
    let replicas = async || Ok(world.make_ready().await?.spec.unwrap_or_default().replicas);
    eventually("a second replica stands in", replicas, |replicas| *replicas == Some(2)).await?;
    world.roll_out().await?;
    assert_eq!(images(&world, 1).await?, ["sales:2"]);
    assert_eq!(world.registered_url(), Some(world.url_of(1)));
    world
        .object("sales", "one replica again", |set: &StatefulSet| {
            set.spec.as_ref().unwrap().replicas == Some(1)
        })
        .await?;
    world.end().await
}

#[tokio::test]
async fn a_roll_out_waits_for_a_gooddata_that_is_down() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = fleet(&world, 2);
    world.apply_and_register(&fleet).await?;
    world.gooddata.inject([flexconnect_sandbox::Fault::down()]);
    fleet.0["spec"]["server"]["image"] = json!("sales:2");
    world.apply(&fleet).await?;
    let blocked = async || {
        world.make_ready().await?;
        let object: flexconnect_crds::FlexConnectServer = world.api().get("sales").await?;
        let conditions = object.status.unwrap_or_default().conditions;
        Ok(conditions
            .into_iter()
            .find(|condition| condition.type_ == "Progressing")
            .map(|rolled| rolled.reason))
    };
    eventually("the roll-out waits", blocked, |reason| {
        reason.as_deref() == Some("RegistrationBlocked")
    })
    .await?;
    assert_eq!(
        images(&world, 2).await?,
        ["sales:1"; 2],
        "nothing is replaced meanwhile"
    );
    world.gooddata.heal();
    world.roll_out().await?;
    assert_eq!(images(&world, 2).await?, ["sales:2"; 2]);
    world.end().await
}
