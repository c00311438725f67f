//! Every sample is accepted, by the API server with strict field validation and by `local`.

use anyhow::{Context as _, Result, ensure};
use flexconnect_control_plane_tests::{World, repository};
use flexconnect_crds::{FlexConnectServer, Manifest};
use flexconnect_operator::dereference::References;
use flexconnect_operator::validate::validate;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use tokio::process::Command;

#[tokio::test]
async fn every_sample_is_accepted() -> Result<()> {
    let world = World::new().await?;
    let mut params = PatchParams::apply("user");
    params.dry_run = true;
    params.field_validation = Some(kube::api::ValidationDirective::Strict);
    let mut samples = 0;
    let mut files = vec![repository().join("examples/demo.yaml")];
    for folder in ["config/samples", "examples/python/deploy"] {
        for file in std::fs::read_dir(repository().join(folder))? {
            files.push(file?.path());
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    for path in files {
        let label = path.display().to_string();
        let manifest = Manifest::read(&std::fs::read_to_string(&path)?).with_context(|| label.clone())?;
        let references = manifest.secrets.iter().cloned().collect::<References>();
        let fleet = validate(&manifest.server, &references).with_context(|| label.clone())?;
        assert!(
            fleet.data_sources.iter().all(|source| source.connection.is_ok()),
            "{label}"
        );
        let server = &manifest.server;
        world
            .api::<FlexConnectServer>()
            .patch(&server.name_any(), &params, &Patch::Apply(server))
            .await
            .with_context(|| label.clone())?;
        for map in &manifest.config_maps {
            world
                .api::<ConfigMap>()
                .patch(&map.name_any(), &params, &Patch::Apply(map))
                .await?;
        }
        for secret in &manifest.secrets {
            world
                .api::<Secret>()
                .patch(&secret.name_any(), &params, &Patch::Apply(secret))
                .await?;
        }
        samples += 1;
    }
    assert!(samples >= 6, "only {samples} samples");
    world.end().await
}

/// Runs kubectl in the root of the repository.
async fn kubectl(arguments: &[&str]) -> Result<String> {
    let output = Command::new("kubectl")
        .args(arguments)
        .current_dir(repository())
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "kubectl {}: {said}", arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}

#[tokio::test]
async fn the_installation_is_accepted() -> Result<()> {
    let world = World::new().await?;
    let applied = kubectl(&[
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "-k",
        "config/default",
    ])
    .await?;
    for object in [
        "namespace/flexconnect-system",
        "deployment.apps/flexconnect-operator",
        "clusterrole.rbac",
    ] {
        assert!(applied.contains(object), "{applied}");
    }
    kubectl(&["apply", "--dry-run=server", "-f", "crds/"]).await?;
    world.end().await
}

#[tokio::test]
async fn kubectl_shows_how_a_fleet_is() -> Result<()> {
    let world = World::new().await?;
    world.apply_and_register(&world.fleet()).await?;
    let table = kubectl(&["get", "fcs", "-o", "wide", "-n", &world.namespace]).await?;
    let lines = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .collect::<Vec<_>>();
    assert_eq!(
        lines[0],
        ["NAME", "REPLICAS", "AVAILABLE", "READY", "REGISTERED", "URL", "AGE"],
        "{table}"
    );
    assert_eq!(lines[1][..5], ["sales", "3", "3", "True", "True"], "{table}");
    assert_eq!(lines[1][5], world.url_of(3));
    world.end().await
}
