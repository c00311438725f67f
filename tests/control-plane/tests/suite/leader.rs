//! Operators as processes, with a service account's token and the rights of a role: who leads, and what becomes of the
//! work when the leader ends, freezes, or loses its API server.

use anyhow::{Context as _, Result};
use flexconnect_control_plane_tests::{Kubeconfig, Mode, Operator, Proxy, World, eventually};
use flexconnect_crds::FlexConnectServer;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams};
use rustix::process::Signal;
use serde_json::json;

/// Short, so that the tests are. The protocol is the same at any length.
const ELECTION: [&str; 4] = ["--lease-name", "lead", "--lease-duration", "4s"];

async fn wait_until_it_leads(operator: &Operator) -> Result<()> {
    eventually("it leads", async || Ok(operator.leads().await), |leads| *leads)
        .await
        .with_context(|| operator.log())
        .map(drop)
}

/// The requests that an operator has sent to change anything but its Lease.
async fn writes(operator: &Operator) -> Result<f64> {
    let (_, page) = operator.get("metrics").await?;
    let lines = page
        .lines()
        .filter(|line| line.starts_with("flexconnect_operator_api_request_seconds_count"));
    let is_write = |line: &&str| {
        ["create", "patch", "update", "delete"]
            .iter()
            .any(|verb| line.contains(&format!("\"{verb}\"")))
    };
    let counts = lines.filter(is_write).filter(|line| !line.contains("\"leases\""));
    Ok(counts
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum())
}

async fn scale(world: &World, replicas: i32) -> Result<()> {
    let patch = json!({"spec": {"replicas": replicas}});
    world
        .api::<FlexConnectServer>()
        .patch("sales", &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    let is_scaled = |set: &StatefulSet| set.spec.as_ref().and_then(|spec| spec.replicas) == Some(replicas);
    eventually("the new scale", async || world.observe().await, is_scaled).await?;
    Ok(())
}

#[tokio::test]
async fn one_leads_and_another_follows_when_it_ends_or_freezes_or_dies() -> Result<()> {
    let world = World::deserted().await?;
    let namespace = world.namespace.clone();
    let kubeconfig = Kubeconfig::write(&world.account(&[&namespace]).await?, &namespace)?;
    let arguments = [["--namespace", &namespace].as_slice(), &ELECTION].concat();
    let mut first = Operator::start(&kubeconfig, "first", &arguments)?;
    wait_until_it_leads(&first).await?;
    let mut second = Operator::start(&kubeconfig, "second", &arguments)?;
    eventually(
        "the second stands by",
        async || Ok(second.get("ready").await.map_or(0, |(code, _)| code)),
        |code| *code == 200,
    )
    .await?;
    assert!(first.leads().await && !second.leads().await);
    world.apply(&world.fleet()).await?;
    world.object::<StatefulSet>("sales", "a StatefulSet", |_| true).await?;

    // Frozen past its lease. Meanwhile there is work, which its watches will tell it of when it wakes up.
    let before = writes(&first).await?;
    first.signal(Signal::STOP)?;
    wait_until_it_leads(&second).await?;
    scale(&world, 5).await?;
    world
        .api::<k8s_openapi::api::core::v1::Service>()
        .delete("sales-1", &Default::default())
        .await?;
    world
        .object::<k8s_openapi::api::core::v1::Service>("sales-1", "the Service again", |_| true)
        .await?;
    first.signal(Signal::CONT)?;
    eventually(
        "the first knows that it lost",
        async || Ok(first.metric("flexconnect_operator_leases_lost_total").await),
        |lost| *lost == Some(1.0),
    )
    .await?;
    assert!(before > 0.0, "it did write");
    assert_eq!(
        writes(&first).await?,
        before,
        "woken, it wrote nothing\n{}",
        first.log()
    );
    assert!(second.leads().await && !first.leads().await);

    // Ended: the Lease is released.
    second.signal(Signal::TERM)?;
    assert!(second.ended().await?.success(), "{}", second.log());
    assert!(second.log().contains("released the Lease"), "{}", second.log());
    wait_until_it_leads(&first).await?;
    scale(&world, 4).await?;

    // Killed: the Lease has to end.
    let third = Operator::start(&kubeconfig, "third", &arguments)?;
    first.signal(Signal::KILL)?;
    first.ended().await?;
    wait_until_it_leads(&third).await?;
    scale(&world, 3).await?;
    let lease = world
        .api::<Lease>()
        .get("lead")
        .await?
        .spec
        .context("a Lease has a spec")?;
    assert!(lease.holder_identity.is_some_and(|holder| holder.starts_with("third_")));
    assert_eq!(lease.lease_transitions, Some(4));
    world.end().await
}

#[tokio::test]
async fn several_namespaces_need_roles_in_them_and_nothing_else() -> Result<()> {
    let (here, there, elsewhere) = (
        World::deserted().await?,
        World::deserted().await?,
        World::deserted().await?,
    );
    let places = [here.namespace.as_str(), there.namespace.as_str()];
    let kubeconfig = Kubeconfig::write(&here.account(&places).await?, &here.namespace)?;
    let scope = places.map(|namespace| ["--namespace", namespace]).concat();
    let operator = Operator::start(&kubeconfig, "scoped", &[scope.as_slice(), &ELECTION].concat())?;
    for world in [&elsewhere, &here, &there] {
        world.apply(&world.fleet()).await?;
    }
    for world in [&here, &there] {
        world
            .object::<StatefulSet>("sales", "a StatefulSet", |_| true)
            .await
            .with_context(|| operator.log())?;
        world.condition("Registered", "False", "WaitingForReplicas").await?;
    }
    assert!(elsewhere.api::<StatefulSet>().get_opt("sales").await?.is_none());
    assert_eq!(operator.metric("flexconnect_operator_objects").await, Some(2.0));
    assert!(!operator.log().contains("forbidden"), "{}", operator.log());
    for world in [here, there, elsewhere] {
        world.end().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_api_server_that_stops_or_goes_away_is_waited_for_without_growing() -> Result<()> {
    let world = World::deserted().await?;
    let namespace = world.namespace.clone();
    let mut account = world.account(&[&namespace]).await?;
    let to = account.cluster_url.authority().context("an address")?.to_string();
    let proxy = Proxy::start(to).await?;
    account.cluster_url = format!("https://{}", proxy.address).parse()?;
    let kubeconfig = Kubeconfig::write(&account, &namespace)?;
    let operator = Operator::start(
        &kubeconfig,
        "patient",
        &[["--namespace", &namespace].as_slice(), &ELECTION].concat(),
    )?;
    world.apply(&world.fleet()).await?;
    world
        .object::<StatefulSet>("sales", "a StatefulSet", |_| true)
        .await
        .with_context(|| operator.log())?;
    let (descriptors, lines) = (
        operator.metric("process_open_fds").await,
        operator.log().lines().count(),
    );
    let mut lost = 0.0;
    for mode in [Mode::Stopped, Mode::Gone] {
        proxy.set(mode);
        lost += 1.0;
        eventually(
            "it knows that it does not lead",
            async || Ok(operator.metric("flexconnect_operator_leases_lost_total").await),
            |seen| *seen == Some(lost),
        )
        .await?;
        let (live, _) = operator.get("live").await?;
        assert_eq!(live, 200, "an API server that is away is no reason to end");
        proxy.set(Mode::Running);
        wait_until_it_leads(&operator).await?;
        let replicas = if mode == Mode::Stopped { 4 } else { 5 };
        scale(&world, replicas).await?;
    }
    let after = operator.metric("process_open_fds").await;
    assert!(
        after <= descriptors.map(|before| before + 8.0),
        "{descriptors:?} descriptors became {after:?}"
    );
    let new_lines = operator.log().lines().count() - lines;
    assert!(new_lines < 40, "{new_lines} lines in\n{}", operator.log());
    world.end().await
}

/// Nobody may list Secrets: not the operator, whatever is asked of it.
#[tokio::test]
async fn the_account_reads_secrets_by_name_alone() -> Result<()> {
    let world = World::deserted().await?;
    let account = world.account(&[&world.namespace]).await?;
    let secrets =
        Api::<k8s_openapi::api::core::v1::Secret>::namespaced(kube::Client::try_from(account)?, &world.namespace);
    assert!(secrets.get_opt("gooddata").await?.is_some());
    let refused = secrets.list(&Default::default()).await;
    assert!(matches!(refused, Err(kube::Error::Api(answer)) if answer.is_forbidden()));
    world.end().await
}
