//! A token is replaced while the fleet serves: nobody is locked out, and no pod starts anew.

use anyhow::Result;
use flexconnect_control_plane_tests::{World, eventually};
use flexconnect_crds::FlexConnectServer;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

async fn pods(world: &World) -> Result<Vec<Option<String>>> {
    let pods = world.api::<Pod>().list(&ListParams::default()).await?;
    Ok(pods.items.iter().map(kube::ResourceExt::uid).collect())
}

fn text(secret: &Secret, key: &str) -> Option<String> {
    let value = secret.data.as_ref()?.get(key)?;
    String::from_utf8(value.0.clone()).ok()
}

/// Waits until the fleet has another token than this one, and that one alone.
async fn rotated(world: &World, before: &str) -> Result<Secret> {
    let settled = |secret: &Secret| {
        let token = text(secret, "token").unwrap();
        let accepted = text(secret, "tokens.toml").unwrap();
        token != before && accepted.contains(&token) && !accepted.contains(before)
    };
    let secret = world.object("sales-token", "another token alone", settled).await?;
    assert_eq!((text(&secret, "next"), text(&secret, "previous")), (None, None));
    Ok(secret)
}

#[tokio::test]
async fn a_token_that_its_user_changes_is_handed_over() -> Result<()> {
    let world = World::new().await?;
    world.secret("mine", "token", "first-token").await?;
    let mut fleet = world.fleet();
    fleet.0["spec"]["auth"] = json!({"secret": {"name": "mine", "key": "token"}});
    world.apply_and_register(&fleet).await?;
    let (before, writes) = (pods(&world).await?, world.gooddata.writes());

    world.secret("mine", "token", "second-token").await?;
    world.pass().await?;
    let secret = rotated(&world, "first-token").await?;
    assert_eq!(text(&secret, "token").as_deref(), Some("second-token"));
    assert_eq!(world.gooddata.writes(), writes + 1, "GoodData was given it once");
    assert_eq!(pods(&world).await?, before, "no pod started anew");
    world.end().await
}

#[tokio::test]
async fn a_generated_token_is_replaced_in_time_and_waits_for_gooddata() -> Result<()> {
    let world = World::new().await?;
    let mut fleet = world.fleet();
    fleet.0["spec"]["auth"] = json!({"generated": {"rotateEvery": "1h"}});
    let object = world.apply_and_register(&fleet).await?;
    let status = object.status.clone().unwrap().tokens.unwrap();
    assert!(status.next.unwrap().0 > status.rotated_at.0);
    let before = pods(&world).await?;
    let first = text(&world.api::<Secret>().get("sales-token").await?, "token").unwrap();

    // Its hour is over, and GoodData is down.
    world.gooddata.inject([flexconnect_sandbox::Fault::down()]);
    let old = json!({"metadata": {"annotations": {"flexconnect.dev/rotated-at": "2026-01-01T00:00:00Z"}}});
    world
        .api::<Secret>()
        .patch("sales-token", &PatchParams::default(), &Patch::Merge(old))
        .await?;
    let nudge = json!({"metadata": {"annotations": {"tests/nudge": "rotate"}}});
    world
        .api::<StatefulSet>()
        .patch("sales", &PatchParams::default(), &Patch::Merge(nudge))
        .await?;
    let both = |secret: &Secret| text(secret, "previous").is_some();
    let secret = world
        .object("sales-token", "the new token beside the old one", both)
        .await?;
    let accepted = text(&secret, "tokens.toml").unwrap();
    assert!(accepted.contains(&first) && accepted.contains(&text(&secret, "token").unwrap()));
    let api = world.api::<FlexConnectServer>();
    let message = |object: &FlexConnectServer| {
        let tokens = object.status.as_ref()?.tokens.as_ref()?;
        tokens.message.clone()
    };
    eventually(
        "what it waits for",
        async || Ok(message(&api.get("sales").await?)),
        |message| message.as_deref() == Some("the old token stays until data source sales has the new one"),
    )
    .await?;

    world.gooddata.heal();
    rotated(&world, &first).await?;
    assert_eq!(pods(&world).await?, before, "no pod started anew");
    world.end().await
}
