//! Every sample is accepted, by the API server with strict field validation and by `local`.

use anyhow::{Context as _, Result};
use flexconnect_control_plane_tests::{World, repository};
use flexconnect_crds::{FlexConnectServer, Manifest};
use flexconnect_operator::dereference::References;
use flexconnect_operator::validate::validate;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};

#[tokio::test]
async fn every_sample_is_accepted() -> Result<()> {
    let world = World::new().await?;
    let mut params = PatchParams::apply("user");
    params.dry_run = true;
    params.field_validation = Some(kube::api::ValidationDirective::Strict);
    let mut samples = 0;
    for file in std::fs::read_dir(repository().join("config/samples"))? {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
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
        for secret in &manifest.secrets {
            world
                .api::<Secret>()
                .patch(&secret.name_any(), &params, &Patch::Apply(secret))
                .await?;
        }
        samples += 1;
    }
    assert!(samples >= 4, "only {samples} samples");
    world.end().await
}
