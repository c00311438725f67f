//! The apply step: server-side apply of what differs, and removal of what is no longer built.
//!
//! An object that is as it shall be is not written, so that a pass over an unchanged fleet writes nothing. An object of
//! another owner is never written: taken over, it would be deleted together with the fleet.

mod difference;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::Resource;
use kube::{Api, Client, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::build::{Applied, OPERATOR, Objects, Policies, Prepared, Secrets};
use crate::dereference::{Observed, is_owned};
use crate::digest::sha256;
use crate::fleet::ValidatedFleet;
use crate::rollout::immutable_change;

/// How many Services of one fleet are written at the same time.
const CONCURRENT_WRITES: usize = 8;

/// The annotation with the digest of what was applied last. It tells that a field was left out since then.
const APPLIED_ANNOTATION: &str = "flexconnect.dev/applied";

/// Why an object could not be applied.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// There is an object of that name, and it is not ours.
    #[error("there is a {kind} {name:?} already that does not belong to this object: rename one of them, or delete it")]
    Foreign {
        /// The kind of the object.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The API server refused, or did not answer.
    #[error("failed to {verb} the {kind} {name:?}")]
    Request {
        /// What was tried.
        verb: &'static str,
        /// The kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// What the API server said.
        #[source]
        source: Box<kube::Error>,
    },
}

/// Writes the objects of one fleet.
pub struct Applier<'a> {
    client: &'a Client,
    fleet: &'a ValidatedFleet,
}

impl<'a> Applier<'a> {
    /// For one fleet.
    #[must_use]
    pub fn new(client: &'a Client, fleet: &'a ValidatedFleet) -> Self {
        Self { client, fleet }
    }

    /// Applies every object, the `StatefulSet` last, and deletes what is no longer built.
    ///
    /// # Errors
    /// The first object that could not be applied; those before it are.
    pub async fn apply(&self, objects: Objects<Prepared>, observed: &Observed) -> Result<Objects<Applied>, ApplyError> {
        // Every field is named, so that a new kind of child cannot be forgotten here.
        let Objects {
            secrets,
            config,
            headless_service,
            replica_services,
            policies,
            stateful_set,
            ..
        } = objects;
        let secrets = self.secrets(secrets, &observed.secrets).await?;
        let config = self.ensure::<ConfigMap>(config, observed.config.as_ref()).await?;
        let headless_service = self.service(headless_service, observed).await?;
        let services = replica_services
            .into_iter()
            .map(|service| self.service(service, observed));
        let services = services.collect::<Vec<_>>();
        let replica_services: Vec<_> = stream::iter(services).buffered(CONCURRENT_WRITES).try_collect().await?;
        let policies = self.policies(policies, &observed.policies).await?;
        let stateful_set = self.stateful_set(stateful_set, observed.stateful_set.as_ref()).await?;

        let built = replica_services
            .iter()
            .chain([&headless_service])
            .map(kube::ResourceExt::name_any);
        self.delete_services_except(&built.collect(), observed).await?;
        Ok(Objects::applied(
            secrets,
            config,
            headless_service,
            replica_services,
            policies,
            stateful_set,
        ))
    }

    /// Applies the `StatefulSet` alone.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn stateful_set(
        &self,
        desired: StatefulSet,
        live: Option<&StatefulSet>,
    ) -> Result<StatefulSet, ApplyError> {
        self.ensure(desired, live).await
    }

    /// Applies a Secret alone.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn secret(&self, desired: Secret, live: Option<&Secret>) -> Result<Secret, ApplyError> {
        self.ensure(desired, live).await
    }

    async fn secrets(&self, secrets: Secrets, observed: &Secrets) -> Result<Secrets, ApplyError> {
        let Secrets {
            ca,
            tls,
            token,
            settings,
        } = secrets;
        Ok(Secrets {
            ca: self.apply_or_delete(ca, observed.ca.as_ref()).await?,
            tls: self.apply_or_delete(tls, observed.tls.as_ref()).await?,
            token: self.apply_or_delete(token, observed.token.as_ref()).await?,
            settings: self.apply_or_delete(settings, observed.settings.as_ref()).await?,
        })
    }

    async fn policies(&self, policies: Policies, observed: &Policies) -> Result<Policies, ApplyError> {
        let Policies {
            budget,
            autoscaler,
            network,
        } = policies;
        Ok(Policies {
            budget: self.apply_or_delete(budget, observed.budget.as_ref()).await?,
            autoscaler: self.apply_or_delete(autoscaler, observed.autoscaler.as_ref()).await?,
            network: self.apply_or_delete(network, observed.network.as_ref()).await?,
        })
    }

    /// Deletes the fleet's own `StatefulSet` without its pods, if it differs in a field that nobody can change. Says whether
    /// it did: then it has to be applied as if there were none.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn recreate(&self, live: &StatefulSet, desired: &StatefulSet) -> Result<bool, ApplyError> {
        if !self.owns(live) || immutable_change(live, desired).is_none() {
            return Ok(false);
        }
        self.delete_with(live, DeleteParams::orphan()).await?;
        Ok(true)
    }

    async fn apply_or_delete<K: Child>(&self, desired: Option<K>, live: Option<&K>) -> Result<Option<K>, ApplyError> {
        match (desired, live) {
            (Some(desired), live) => self.ensure(desired, live).await.map(Some),
            (None, Some(live)) if self.owns(live) => self.delete(live).await.map(|()| None),
            (None, Some(_) | None) => Ok(None),
        }
    }

    /// A Service of another owner may lack the labels by which ours were listed: it is asked for by its name.
    async fn service(&self, desired: Service, observed: &Observed) -> Result<Service, ApplyError> {
        let name = desired.name_any();
        let listed = observed.services.iter().find(|service| service.name_any() == name);
        let unlisted = match listed {
            Some(_) => None,
            None => self
                .api::<Service>()
                .get_opt(&name)
                .await
                .map_err(|source| request("read", &desired, source))?,
        };
        self.ensure(desired, listed.or(unlisted.as_ref())).await
    }

    async fn delete_services_except(&self, built: &BTreeSet<String>, observed: &Observed) -> Result<(), ApplyError> {
        for service in observed.services.iter().filter(|service| self.owns(*service)) {
            if !built.contains(&service.name_any()) {
                self.delete(service).await?;
            }
        }
        Ok(())
    }

    /// Writes an object unless it is as it shall be.
    async fn ensure<K: Child>(&self, desired: K, live: Option<&K>) -> Result<K, ApplyError> {
        if let Some(live) = live.filter(|live| !self.owns(*live)) {
            return Err(ApplyError::Foreign {
                kind: K::kind(&()).into_owned(),
                name: live.name_any(),
            });
        }
        let mut desired = K::stamped(desired);
        if let Some(live) = live {
            if is_as_desired(&desired, live) {
                return Ok(live.clone());
            }
            // The object that was looked at, and no other that took its name since.
            desired.meta_mut().uid.clone_from(&live.meta().uid);
        }
        let params = PatchParams::apply(OPERATOR).force();
        let applied = self
            .api::<K>()
            .patch(&desired.name_any(), &params, &Patch::Apply(&desired))
            .await;
        applied.map_err(|source| request("apply", &desired, source))
    }

    async fn delete<K: Child>(&self, live: &K) -> Result<(), ApplyError> {
        self.delete_with(live, DeleteParams::background()).await
    }

    async fn delete_with<K: Child>(&self, live: &K, params: DeleteParams) -> Result<(), ApplyError> {
        let this_one = Preconditions {
            uid: live.uid(),
            resource_version: None,
        };
        let params = params.preconditions(this_one);
        match self.api::<K>().delete(&live.name_any(), &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(source) => Err(request("delete", live, source)),
        }
    }

    fn owns<K: Child>(&self, live: &K) -> bool {
        is_owned(live, self.fleet.uid.as_deref())
    }

    fn api<K: Child>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), self.fleet.namespace.as_str())
    }
}

fn request<K: Child>(verb: &'static str, object: &K, source: kube::Error) -> ApplyError {
    let kind = K::kind(&()).into_owned();
    ApplyError::Request {
        verb,
        kind,
        name: object.name_any(),
        source: Box::new(source),
    }
}

/// An object that belongs to a fleet.
pub trait Child:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Serialize + DeserializeOwned
{
    /// The object with what tells, later, whether it is the same.
    #[must_use]
    fn stamped(self) -> Self {
        let digest = sha256([serde_json::to_vec(&self).unwrap_or_default().as_slice()]);
        let mut object = self;
        let annotations = object.meta_mut().annotations.get_or_insert_with(BTreeMap::new);
        annotations.insert(APPLIED_ANNOTATION.to_owned(), digest);
        object
    }
}

impl Child for ConfigMap {}
impl Child for Service {}
impl Child for StatefulSet {}
impl Child for PodDisruptionBudget {}
impl Child for HorizontalPodAutoscaler {}
impl Child for NetworkPolicy {}
impl Child for Secret {
    /// A digest beside a secret would help to guess it. All of its data is compared instead.
    fn stamped(self) -> Self {
        self
    }
}

fn is_as_desired<K: Serialize>(desired: &K, live: &K) -> bool {
    match (serde_json::to_value(desired), serde_json::to_value(live)) {
        (Ok(desired), Ok(live)) => difference::is_satisfied(&desired, &live),
        _ => false,
    }
}
