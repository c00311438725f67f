//! The API server that the tests run against, with the API and the operator's own rights installed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use http::Method;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::client::{Body, ClientBuilder};
use kube::config::AuthInfo;
use kube::core::GroupVersionKind;
use kube::{Api, Client, Config, ResourceExt as _};
use serde::Deserialize as _;
use serde_json::json;
use tokio::sync::OnceCell;
use tower::util::MapRequestLayer;

use crate::{Faults, eventually};

/// The account of the operator, as config/rbac makes it, and where.
const ACCOUNT: &str = "flexconnect-operator";
const SYSTEM: &str = "flexconnect-system";
const MANAGER: &str = "control-plane-tests";

static PREPARED: OnceCell<()> = OnceCell::const_new();

/// The API server.
pub struct Cluster {
    config: Config,
    /// Speaks as the administrator.
    pub admin: Client,
}

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Cluster {
    /// Connects, and prepares the API server when nobody has yet.
    ///
    /// # Errors
    /// Without an API server, with the command that brings one.
    pub async fn connect() -> Result<Self> {
        // The first test installs it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let _ = tracing_subscriber::fmt()
            .with_test_writer()
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
            .try_init();
        let config = Config::infer()
            .await
            .context("found no API server; run these tests by tests/control-plane/run")?;
        let admin = Client::try_from(config.clone())?;
        PREPARED.get_or_try_init(|| prepare(&admin)).await?;
        Ok(Self { config, admin })
    }

    /// The configuration of a client that is the operator's service account of that namespace, and nobody else.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn account(&self, namespace: &str) -> Result<Config> {
        let accounts = Api::<ServiceAccount>::namespaced(self.admin.clone(), namespace);
        let token = accounts
            .create_token_request(ACCOUNT, &PostParams::default(), &TokenRequest::default())
            .await?
            .status
            .context("the API server gives no token")?;
        let mut config = self.config.clone();
        config.auth_info = AuthInfo {
            token: Some(token.token.into()),
            ..AuthInfo::default()
        };
        Ok(config)
    }

    /// A client with the rights of the operator and no others, which fails as planned, and the count of its writes, events
    /// excepted.
    ///
    /// # Errors
    /// When the connection cannot be set up.
    pub async fn operator_client(&self, faults: &Faults) -> Result<(Client, Arc<AtomicU64>)> {
        let mut config = self.account(SYSTEM).await?;
        // As the operator's own.
        config.default_retry = false;
        let writes = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&writes);
        let count = MapRequestLayer::new(move |request: http::Request<Body>| {
            if request.method() != Method::GET && !request.uri().path().contains("events.k8s.io") {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            request
        });
        let client = ClientBuilder::try_from(config)?.with_layer(faults).with_layer(&count);
        Ok((client.build(), writes))
    }
}

/// Installs the API and the rights of the operator.
async fn prepare(admin: &Client) -> Result<()> {
    let crd = flexconnect_crds::crd();
    let crds = Api::<CustomResourceDefinition>::all(admin.clone());
    let params = PatchParams::apply(MANAGER).force();
    crds.patch(&crd.name_any(), &params, &Patch::Apply(&crd))
        .await
        .context("the API server refuses the CRD")?;
    let is_established = |crd: &CustomResourceDefinition| {
        let conditions = crd.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions
            .clone()
            .any(|condition| condition.type_ == "Established" && condition.status == "True")
    };
    eventually(
        "the API is established",
        async || Ok(crds.get(&crd.name_any()).await?),
        is_established,
    )
    .await?;

    let system: Namespace = serde_json::from_value(json!({"metadata": {"name": SYSTEM}}))?;
    Api::<Namespace>::all(admin.clone())
        .patch(SYSTEM, &params, &Patch::Apply(&system))
        .await?;
    for file in ["service_account.yaml", "roles.yaml"] {
        let text = std::fs::read_to_string(repository().join("config/rbac").join(file))?;
        apply_yaml(admin, &text).await.with_context(|| file.to_owned())?;
    }
    Ok(())
}

/// Applies what a file holds.
///
/// # Errors
/// When the API server refuses it.
pub async fn apply_yaml(admin: &Client, text: &str) -> Result<()> {
    for document in serde_yaml::Deserializer::from_str(text) {
        let object = DynamicObject::deserialize(document)?;
        let types = object.types.clone().context("the object has no kind")?;
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types)?);
        let api = match object.namespace() {
            Some(namespace) => Api::<DynamicObject>::namespaced_with(admin.clone(), &namespace, &resource),
            None => Api::all_with(admin.clone(), &resource),
        };
        api.patch(
            &object.name_any(),
            &PatchParams::apply(MANAGER).force(),
            &Patch::Apply(&object),
        )
        .await
        .with_context(|| format!("{} {}", types.kind, object.name_any()))?;
    }
    Ok(())
}
