//! A replica is registered when it answers as GoodData would meet it, and the status tells what the fleet serves.

use anyhow::Result;
use flexconnect_control_plane_tests::World;

#[tokio::test]
async fn the_status_tells_what_the_fleet_serves() -> Result<()> {
    let world = World::new().await?;
    let object = world.apply_and_register(&world.fleet()).await?;
    let functions = object.status.unwrap().functions;
    assert_eq!(functions.len(), 1);
    assert_eq!(
        (functions[0].name.as_str(), &functions[0].columns[..]),
        ("WhoAmI", &["replica".to_owned()][..])
    );
    world.end().await
}

#[tokio::test]
async fn a_replica_that_nobody_reaches_is_left_out_until_it_answers() -> Result<()> {
    let world = World::new().await?;
    world.apply(&world.fleet()).await?;
    // Its pod is ready, says Kubernetes, and nobody listens at its address.
    world.misplace(2);
    world.make_ready().await?;
    let condition = world.condition("Registered", "False", "ReplicaUnfit").await?;
    assert!(
        condition
            .message
            .contains("replica 2 is not registered: it cannot be reached at 127.0.0.1:17001"),
        "{}",
        condition.message
    );
    assert_eq!(world.registered_url(), Some(world.url_of(2)));
    world.condition("Ready", "True", "AllReplicasReady").await?;

    world.make_ready().await?;
    world.condition("Registered", "True", "Registered").await?;
    assert_eq!(world.registered_url(), Some(world.url_of(3)));
    world.end().await
}
