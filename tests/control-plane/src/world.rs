//! The world of one test: its namespace, its GoodData, its operator.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use flexconnect_crds::{FlexConnectServer, FlexConnectServerStatus};
use flexconnect_operator::controller::{self, Context, Patience, Scope};
use flexconnect_operator::rbac::Roles;
use flexconnect_operator::runtime::health::Ready;
use flexconnect_sandbox::{ConnectionTest, Options, Sandbox};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::kubelet::Kubelet;
use crate::{Cluster, Faults, apply_yaml, eventually};

/// The name of the fleet in every test; namespaces keep them apart.
const NAME: &str = "sales";

/// What a deletion waits for GoodData in these tests.
const PATIENCE: Patience = Patience {
    without_credentials: Duration::from_secs(2),
    without_answer: Duration::from_hours(1),
};

/// The world of one test.
pub struct World {
    /// The administrator of the cluster.
    pub admin: Client,
    /// The namespace of this test.
    pub namespace: String,
    /// The GoodData of this test.
    pub gooddata: Sandbox,
    cluster: Cluster,
    writes: Arc<AtomicU64>,
    shutdown: CancellationToken,
    operator: Option<JoinHandle<()>>,
    kubelet: Kubelet,
}

/// A fleet to create, as JSON that a test may change.
pub struct Fleet(pub Value);

impl World {
    /// Makes a world: an empty namespace with the Secret `gooddata`, a GoodData, an operator that looks after the
    /// namespace with the rights of config/rbac.
    ///
    /// # Errors
    /// When the cluster is not there.
    pub async fn new() -> Result<Self> {
        Self::with_faults(&Faults::default()).await
    }

    /// The same with an API server that fails as planned, and an operator that waits a fiftieth of the usual time for its
    /// next attempt.
    ///
    /// # Errors
    /// When the cluster is not there.
    pub async fn with_faults(faults: &Faults) -> Result<Self> {
        let mut world = Self::deserted().await?;
        let (client, writes) = world.cluster.operator_client(faults).await?;
        world.writes = writes;
        let context = Context::new(client, Scope::of([world.namespace.clone()]), PATIENCE);
        // Each pass looks at GoodData, so that a test need not wait for the next time.
        let pace = if faults.are_planned() { 0.02 } else { 1.0 };
        let context = Arc::new(context.polling_every(Duration::ZERO).hurried(pace));
        world.operator = Some(tokio::spawn(controller::run(
            context,
            Ready::default(),
            world.shutdown.clone(),
        )));
        Ok(world)
    }

    /// A world without an operator.
    ///
    /// # Errors
    /// When the cluster is not there.
    pub async fn deserted() -> Result<Self> {
        let cluster = Cluster::connect().await?;
        let namespace = format!("t-{:08x}", rand::random::<u32>());
        let object: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace, "labels": {
            "pod-security.kubernetes.io/enforce": "restricted"
        }}}))?;
        Api::all(cluster.admin.clone())
            .create(&PostParams::default(), &object)
            .await?;
        let options = Options {
            connection_test: ConnectionTest::AssumeSuccess,
            ..Options::default()
        };
        let world = Self {
            admin: cluster.admin.clone(),
            kubelet: Kubelet::new(cluster.admin.clone(), namespace.clone()),
            cluster,
            namespace,
            gooddata: Sandbox::start(options).await?,
            writes: Arc::default(),
            shutdown: CancellationToken::new(),
            operator: None,
        };
        world.secret("gooddata", "token", "sandbox-token").await?;
        Ok(world)
    }

    /// An account `flexconnect-operator` in this world's namespace, with the rights for these namespaces and no others, and
    /// the Lease `lead` there.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn account(&self, namespaces: &[&str]) -> Result<Config> {
        let account: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": "flexconnect-operator"}}))?;
        self.api().create(&PostParams::default(), &account).await?;
        let roles = Roles {
            namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
            operator_namespace: self.namespace.clone(),
            lease: "lead".to_owned(),
        };
        apply_yaml(&self.admin, &roles.yaml()).await?;
        self.cluster.account(&self.namespace).await
    }

    /// Ends the operator, and finds that it could be ended.
    ///
    /// # Errors
    /// When it panicked, or does not end.
    pub async fn end(mut self) -> Result<()> {
        self.shutdown.cancel();
        if let Some(operator) = self.operator.take() {
            tokio::time::timeout(Duration::from_secs(30), operator)
                .await
                .context("the operator does not end")??;
        }
        Ok(())
    }

    /// Objects of a kind in the namespace of this test.
    #[must_use]
    pub fn api<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(&self) -> Api<K> {
        Api::namespaced(self.admin.clone(), &self.namespace)
    }

    /// Creates or changes a Secret.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn secret(&self, name: &str, key: &str, value: &str) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: value}
        });
        self.api::<Secret>()
            .patch(name, &PatchParams::apply("user").force(), &Patch::Apply(secret))
            .await?;
        Ok(())
    }

    /// A fleet of three with a data source `sales` in this world's GoodData.
    #[must_use]
    pub fn fleet(&self) -> Fleet {
        Fleet(json!({
            "apiVersion": "flexconnect.dev/v1alpha1",
            "kind": "FlexConnectServer",
            "metadata": {"name": NAME},
            "spec": {
                "replicas": 3,
                "server": {"image": "sales:1"},
                "dataSources": [{
                    "id": "sales",
                    "endpoint": self.gooddata.endpoint(),
                    "insecureHttp": true,
                    "tokenSecret": {"name": "gooddata", "key": "token"},
                    "deletionPolicy": "Delete"
                }]
            }
        }))
    }

    /// Applies a fleet, as `kubectl apply --server-side` does.
    ///
    /// # Errors
    /// What the API server says against it.
    pub async fn apply(&self, fleet: &Fleet) -> Result<FlexConnectServer> {
        let params = PatchParams::apply("user").force();
        Ok(self.api().patch(NAME, &params, &Patch::Apply(&fleet.0)).await?)
    }

    /// Applies a fleet and brings it to where GoodData knows it.
    ///
    /// # Errors
    /// When it does not get there.
    pub async fn apply_and_register(&self, fleet: &Fleet) -> Result<FlexConnectServer> {
        self.apply(fleet).await?;
        self.make_ready().await?;
        self.condition("Registered", "True", "Registered").await?;
        Ok(self.api().get(NAME).await?)
    }

    /// Does what the `StatefulSet` controller and the kubelets would do: every wanted replica runs and is ready, those of
    /// an older template anew.
    ///
    /// # Errors
    /// When there is no `StatefulSet` in time.
    pub async fn make_ready(&self) -> Result<StatefulSet> {
        self.make_ready_but(0).await
    }

    /// The next [`make_ready`](Self::make_ready) gives the pod of a replica an address at which nobody listens.
    pub fn misplace(&self, ordinal: i32) {
        self.kubelet.misplace(ordinal);
    }

    /// As [`make_ready`](Self::make_ready), with some replicas that run and are not ready.
    ///
    /// # Errors
    /// When there is no `StatefulSet` in time.
    pub async fn make_ready_but(&self, unready: i32) -> Result<StatefulSet> {
        let sets = self.api::<StatefulSet>();
        let set = eventually("a StatefulSet", async || Ok(sets.get_opt(NAME).await?), Option::is_some).await?;
        let set = set.context("there is a StatefulSet")?;
        let is_stopped = set.spec.as_ref().is_some_and(|spec| spec.replicas == Some(0));
        let urls = self.registered_url().unwrap_or_default();
        for ordinal in self.kubelet.doomed(&set).await {
            let host = format!("//{NAME}-{ordinal}.{}.svc:", self.namespace);
            ensure!(
                is_stopped || !urls.contains(&host),
                "replica {ordinal} is ended while GoodData calls it: {urls}"
            );
        }
        let status = json!({"status": self.kubelet.run(NAME, &set, unready).await?});
        Ok(sets
            .patch_status(NAME, &PatchParams::default(), &Patch::Merge(status))
            .await?)
    }

    /// Does what the controller of `StatefulSet`s does first: it has seen the set as it is now.
    ///
    /// # Errors
    /// When there is no `StatefulSet`.
    pub async fn observe(&self) -> Result<StatefulSet> {
        let sets = self.api::<StatefulSet>();
        let set = sets.get(NAME).await?;
        let status = json!({"status": {"replicas": 0, "observedGeneration": set.metadata.generation}});
        sets.patch_status(NAME, &PatchParams::default(), &Patch::Merge(status))
            .await?;
        Ok(set)
    }

    /// Does the same as often as a roll-out takes: each time, the pods that the partition lets go are made anew.
    ///
    /// # Errors
    /// When the roll-out does not come to its end, or ends a replica that GoodData still calls.
    pub async fn roll_out(&self) -> Result<()> {
        let api = self.api::<FlexConnectServer>();
        let look = async || {
            self.make_ready().await?;
            let object = api.get(NAME).await?;
            let status = object.status.unwrap_or_default();
            let rolled = status
                .conditions
                .into_iter()
                .find(|condition| condition.type_ == "Progressing");
            Ok((object.metadata.generation == status.observed_generation, rolled))
        };
        let is_done = |(is_observed, rolled): &(bool, Option<Condition>)| {
            *is_observed && rolled.as_ref().is_some_and(|rolled| rolled.reason == "RolloutComplete")
        };
        eventually("the roll-out comes to its end", look, is_done).await?;
        Ok(())
    }

    /// Waits until a condition has this status and this reason.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn condition(&self, kind: &str, status: &str, reason: &str) -> Result<Condition> {
        let api = self.api::<FlexConnectServer>();
        let look = async || Ok(api.get(NAME).await?.status);
        let find = |seen: &Option<FlexConnectServerStatus>| {
            let conditions = seen
                .as_ref()
                .map(|status| status.conditions.clone())
                .unwrap_or_default();
            conditions.into_iter().find(|condition| condition.type_ == kind)
        };
        let is_expected = |seen: &Option<FlexConnectServerStatus>| {
            find(seen).is_some_and(|condition| condition.status == status && condition.reason == reason)
        };
        let seen = eventually(&format!("{kind}={status} because of {reason}"), look, is_expected).await?;
        find(&seen).context("the condition is there")
    }

    /// Makes the operator pass over the fleet twice, and waits until the first of these passes is over.
    ///
    /// # Errors
    /// When GoodData is not asked in time.
    pub async fn pass(&self) -> Result<()> {
        for _ in 0..2 {
            let before = self.gooddata.counters().requests;
            let note = format!("{:08x}", rand::random::<u32>());
            let patch = json!({"metadata": {"annotations": {"tests/nudge": note}}});
            self.api::<StatefulSet>()
                .patch(NAME, &PatchParams::default(), &Patch::Merge(patch))
                .await?;
            // A pass reads twice from GoodData; the second of them is near its end, and the next pass is after it.
            let look = async || Ok(self.gooddata.counters().requests);
            eventually("a pass asks GoodData", look, |requests| *requests >= before + 2).await?;
        }
        Ok(())
    }

    /// Waits for the next object of a kind that is as expected.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn object<K>(&self, name: &str, what: &str, is_expected: impl Fn(&K) -> bool) -> Result<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
    {
        let api = self.api::<K>();
        let found = |seen: &Option<K>| seen.as_ref().is_some_and(&is_expected);
        eventually(what, async || Ok(api.get_opt(name).await?), found)
            .await?
            .context("the object is there")
    }

    /// Deletes the fleet, and waits until it is gone.
    ///
    /// # Errors
    /// When it stays.
    pub async fn delete(&self) -> Result<()> {
        let api = self.api::<FlexConnectServer>();
        api.delete(NAME, &DeleteParams::default()).await?;
        eventually(
            "the object is gone",
            async || Ok(api.get_opt(NAME).await?),
            Option::is_none,
        )
        .await?;
        Ok(())
    }

    /// How many requests the operator has sent that are not reads, events excepted.
    #[must_use]
    pub fn operator_writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// The URL of the data source in GoodData.
    #[must_use]
    pub fn registered_url(&self) -> Option<String> {
        self.gooddata.data_source("sales")?.url().map(str::to_owned)
    }

    /// The URL that the given number of replicas has.
    #[must_use]
    pub fn url_of(&self, replicas: u16) -> String {
        let url = |ordinal| format!("grpc+tls://{NAME}-{ordinal}.{}.svc:17001", self.namespace);
        (0..replicas).map(url).collect::<Vec<_>>().join(";")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(operator) = self.operator.take() {
            operator.abort();
        }
    }
}
