//! Whichever call of a pass fails, and however: the passes after it get there, and nothing is left half-written.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use flexconnect_control_plane_tests::{Failure, Faults, Fleet, World, eventually};
use flexconnect_crds::FlexConnectServer;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use kube::api::{DeleteParams, ListParams};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

/// More calls than the longest pass makes; at those beyond nothing fails.
const CALLS: usize = 26;
/// Worlds at the same time.
const WORLDS: usize = 6;

/// The names of all objects of a kind that belong to the fleet.
async fn children<K>(world: &World) -> Result<BTreeSet<String>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let labelled = ListParams::default().labels("app.kubernetes.io/managed-by=flexconnect-operator");
    let objects = world.api::<K>().list(&labelled).await?.items;
    ensure!(
        objects.iter().all(|object| !object.owner_references().is_empty()),
        "an object without an owner stays behind"
    );
    Ok(objects.iter().map(kube::ResourceExt::name_any).collect())
}

async fn all_children(world: &World) -> Result<[BTreeSet<String>; 4]> {
    Ok([
        children::<Secret>(world).await?,
        children::<ConfigMap>(world).await?,
        children::<Service>(world).await?,
        children::<StatefulSet>(world).await?,
    ])
}

/// One replica: each would be one real server more, and makes the calls of the first once again.
fn fleet(world: &World) -> Fleet {
    let mut fleet = world.fleet();
    fleet.0["spec"]["replicas"] = serde_json::json!(1);
    fleet
}

/// One life of a fleet, during which this call of each pass fails. Returns how many did.
async fn live_through(call: usize, expected: &[BTreeSet<String>; 4]) -> Result<usize> {
    let faults = Faults::default();
    faults.arm(call);
    let world = World::with_faults(&faults).await?;
    world.apply_and_register(&fleet(&world)).await?;
    eventually(
        "every child",
        async || all_children(&world).await,
        |seen| seen == expected,
    )
    .await?;
    ensure!(
        world.registered_url() == Some(world.url_of(1)),
        "the data source names the replica"
    );
    let mut failed = faults.failed();

    world.pass().await?;
    let writes = (world.operator_writes(), world.gooddata.writes());
    world.pass().await?;
    ensure!(
        faults.are_planned() || (world.operator_writes(), world.gooddata.writes()) == writes,
        "once it is there nothing is written"
    );

    faults.arm(call);
    let api = world.api::<FlexConnectServer>();
    api.delete("sales", &DeleteParams::default()).await?;
    eventually(
        "the object is gone",
        async || Ok(api.get_opt("sales").await?),
        Option::is_none,
    )
    .await?;
    ensure!(world.gooddata.data_source_ids().is_empty(), "the data source is gone");
    failed += faults.failed();
    world.end().await?;
    Ok(failed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_may_fail_in_every_way() -> Result<()> {
    let untroubled = World::new().await?;
    untroubled.apply_and_register(&fleet(&untroubled)).await?;
    let expected = all_children(&untroubled).await?;
    untroubled.end().await?;
    let lives = stream::iter(0..CALLS).map(|call| {
        let expected = &expected;
        async move {
            live_through(call, expected)
                .await
                .with_context(|| format!("call {call} of each pass fails"))
        }
    });
    let failed: Vec<usize> = lives.buffer_unordered(WORLDS).try_collect().await?;
    let lives_with_all = failed.iter().filter(|failed| **failed >= Failure::ALL.len()).count();
    assert!(
        lives_with_all >= 10,
        "{lives_with_all} calls failed in every way: {failed:?}"
    );
    Ok(())
}
