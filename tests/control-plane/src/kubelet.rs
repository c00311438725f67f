//! Plays the kubelets and the controller of `StatefulSet`s: a pod for each replica, and a real server in it, which reads
//! the files that the pod mounts and listens on a loopback address of its own.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use flexconnect_operator::build::CONFIG_KEY;
use flexconnect_server::arrow::array::{RecordBatch, StringArray};
use flexconnect_server::arrow::datatypes::{DataType, Field, Schema};
use flexconnect_server::config::{Inputs, load};
use flexconnect_server::{Output, Running, Server, from_fn};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Container, Pod, PodTemplateSpec, Secret, ServiceAccount, Volume};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

/// How often the files of pods follow their Secrets; a real kubelet takes a minute or more.
const SYNC: Duration = Duration::from_millis(300);

/// The number of no replica.
const NONE: i32 = -1;

/// The pods of one fleet.
pub(crate) struct Kubelet {
    client: Client,
    namespace: String,
    /// 127.a.b: the addresses of this fleet's pods.
    network: [u8; 2],
    pods: Arc<Mutex<BTreeMap<i32, RunningPod>>>,
    /// What pods below the partition are made from.
    proven: Mutex<Option<PodTemplateSpec>>,
    /// The last byte of the next address.
    started: AtomicU8,
    /// The replica whose pod shall have a wrong address once, or none.
    misplaced: AtomicI32,
    _syncing: AbortOnDropHandle<()>,
}

struct RunningPod {
    template: PodTemplateSpec,
    address: String,
    files: TempDir,
    _server: Running,
}

impl Kubelet {
    pub(crate) fn new(client: Client, namespace: String) -> Self {
        let pods = Arc::<Mutex<BTreeMap<i32, RunningPod>>>::default();
        let followed = Arc::clone(&pods);
        let mounted = Mounted {
            client: client.clone(),
            namespace: namespace.clone(),
        };
        let syncing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(SYNC).await;
                for pod in followed.lock().await.values() {
                    // What is deleted stays as it was, as in a pod.
                    let _ = mounted.write(&pod.template, pod.files.path()).await;
                }
            }
        });
        Self {
            client,
            namespace,
            network: rand::random::<[u8; 2]>().map(|byte| byte.clamp(1, 254)),
            pods,
            proven: Mutex::default(),
            started: AtomicU8::new(1),
            misplaced: AtomicI32::new(NONE),
            _syncing: AbortOnDropHandle::new(syncing),
        }
    }

    pub(crate) fn misplace(&self, ordinal: i32) {
        self.misplaced.store(ordinal, Ordering::SeqCst);
    }

    /// The pods that [`run`](Self::run) would end now.
    pub(crate) async fn doomed(&self, set: &StatefulSet) -> Vec<i32> {
        let Some(spec) = &set.spec else { return Vec::new() };
        let (replicas, partition) = (spec.replicas.unwrap_or_default(), partition(set));
        let pods = self.pods.lock().await;
        let is_doomed = |(ordinal, pod): &(&i32, &RunningPod)| {
            **ordinal >= replicas || (**ordinal >= partition && pod.template != spec.template)
        };
        pods.iter().filter(is_doomed).map(|(ordinal, _)| *ordinal).collect()
    }

    /// Runs the pods of a set as it is now; those whose template changed start anew, from the partition on. Says what the
    /// status of the set is then.
    pub(crate) async fn run(&self, name: &str, set: &StatefulSet, unready: i32) -> Result<Value> {
        let spec = set.spec.as_ref().context("the set has a spec")?;
        let replicas = spec.replicas.unwrap_or_default();
        let partition = partition(set);
        let mut proven = self.proven.lock().await;
        let below = proven.get_or_insert_with(|| spec.template.clone()).clone();
        let api = Api::<Pod>::namespaced(self.client.clone(), &self.namespace);
        let mut pods = self.pods.lock().await;
        let misplaced = self.misplaced.swap(NONE, Ordering::SeqCst);
        let now = DeleteParams::default().grace_period(0);
        for ordinal in pods
            .keys()
            .copied()
            .filter(|ordinal| *ordinal >= replicas)
            .collect::<Vec<_>>()
        {
            api.delete(&format!("{name}-{ordinal}"), &now).await?;
            pods.remove(&ordinal);
        }
        for ordinal in 0..replicas {
            let pod = format!("{name}-{ordinal}");
            let template = if ordinal < partition { &below } else { &spec.template };
            if ordinal >= partition
                && pods
                    .get(&ordinal)
                    .is_some_and(|running| running.template != spec.template)
            {
                api.delete(&pod, &now).await?;
                pods.remove(&ordinal);
            }
            if let Entry::Vacant(place) = pods.entry(ordinal) {
                self.create(&pod, template).await?;
                // A server that was dropped may hold its ports a little longer.
                let host = self.started.fetch_add(1, Ordering::SeqCst);
                let address = format!("127.{}.{}.{host}", self.network[0], self.network[1]);
                place.insert(self.start(&pod, address, template).await?);
            }
            let address = pods.get(&ordinal).map(|running| running.address.as_str());
            let ready = if ordinal < replicas - unready { "True" } else { "False" };
            let address = address.filter(|_| ordinal != misplaced).unwrap_or("127.0.0.1");
            let status = json!({"status": {
                "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
                "conditions": [{"type": "Ready", "status": ready}],
            }});
            api.patch_status(&pod, &PatchParams::default(), &Patch::Merge(status))
                .await?;
        }
        let updated = pods.values().filter(|pod| pod.template == spec.template).count();
        if updated == pods.len() {
            *proven = Some(spec.template.clone());
        }
        Ok(json!({
            "observedGeneration": set.metadata.generation,
            "replicas": replicas,
            "readyReplicas": replicas - unready,
            "updatedReplicas": updated,
            "availableReplicas": replicas - unready,
            "currentRevision": revision(proven.as_ref().unwrap_or(&spec.template))?,
            "updateRevision": revision(&spec.template)?,
        }))
    }

    async fn create(&self, name: &str, template: &PodTemplateSpec) -> Result<()> {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
        Api::<ServiceAccount>::namespaced(self.client.clone(), &self.namespace)
            .patch(
                "default",
                &PatchParams::apply("kubelet").force(),
                &Patch::Apply(account),
            )
            .await?;
        let mut pod = Pod {
            metadata: template.metadata.clone().unwrap_or_default(),
            spec: template.spec.clone(),
            status: None,
        };
        pod.metadata.name = Some(name.to_owned());
        let labels = pod.metadata.labels.get_or_insert_default();
        labels.insert("controller-revision-hash".to_owned(), revision(template)?);
        Api::namespaced(self.client.clone(), &self.namespace)
            .create(&PostParams::default(), &pod)
            .await?;
        Ok(())
    }

    async fn start(&self, pod: &str, address: String, template: &PodTemplateSpec) -> Result<RunningPod> {
        let files = TempDir::new()?;
        let mounted = Mounted {
            client: self.client.clone(),
            namespace: self.namespace.clone(),
        };
        mounted.write(template, files.path()).await?;
        let container = server(template).context("there is a container with the name server")?;
        let (_, ordinal) = pod.rsplit_once('-').context("the pod has a number")?;
        let expand = |text: &str| text.replace("$(POD_NAME)", pod).replace("$(REPLICA)", ordinal);
        let variables = container.env.iter().flatten();
        let mut variables = variables
            .filter(|variable| variable.name.starts_with("GOODDATA_FLIGHT_"))
            .map(|variable| {
                let value = expand(variable.value.as_deref().unwrap_or_default());
                (variable.name.clone(), inside(files.path(), &value))
            })
            .collect::<BTreeMap<_, _>>();
        for key in ["LISTEN_HOST", "HEALTH_CHECK_HOST"] {
            variables.insert(format!("GOODDATA_FLIGHT_SERVER__{key}"), address.clone());
        }
        let arguments = container
            .args
            .iter()
            .flatten()
            .skip_while(|argument| *argument != "--config");
        let inputs = Inputs {
            files: arguments
                .skip(1)
                .map(|file| PathBuf::from(inside(files.path(), file)))
                .collect(),
            variables,
            machine_name: pod.to_owned(),
        };
        let (config, _) = load(&inputs)?;
        let schema = Arc::new(Schema::new(vec![Field::new("replica", DataType::Utf8, false)]));
        let name = pod.to_owned();
        let columns = Arc::clone(&schema);
        let who = from_fn("WhoAmI", schema, move |_| {
            let (columns, name) = (Arc::clone(&columns), name.clone());
            async move {
                let column = Arc::new(StringArray::from(vec![name]));
                let batch = RecordBatch::try_new(Arc::clone(&columns), vec![column])?;
                Ok(Output::table(columns, vec![batch]))
            }
        });
        Ok(RunningPod {
            template: template.clone(),
            address,
            files,
            _server: Server::builder().function(who).build().start(config).await?,
        })
    }
}

fn partition(set: &StatefulSet) -> i32 {
    let strategy = set.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref());
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    rolling.and_then(|rolling| rolling.partition).unwrap_or_default()
}

/// What tells a template from others.
fn revision(template: &PodTemplateSpec) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(template)?.hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

/// A path of the container as it is on this machine.
fn inside(root: &Path, text: &str) -> String {
    text.replace("/etc/flexconnect/", &format!("{}/etc/flexconnect/", root.display()))
}

/// The configuration without the functions of another container: the servers here have a function of their own.
fn without_host(name: &str, text: &str) -> String {
    match text.parse::<toml::Table>() {
        Ok(mut settings) if name == CONFIG_KEY => {
            settings.remove("python");
            settings.to_string()
        }
        _ => text.to_owned(),
    }
}

fn server(template: &PodTemplateSpec) -> Option<&Container> {
    let containers = &template.spec.as_ref()?.containers;
    containers.iter().find(|container| container.name == "server")
}

/// The objects that pods mount.
struct Mounted {
    client: Client,
    namespace: String,
}

impl Mounted {
    /// Brings the files of a pod to what the objects say that its server mounts.
    async fn write(&self, template: &PodTemplateSpec, root: &Path) -> Result<()> {
        let mounts = server(template).and_then(|container| container.volume_mounts.as_ref());
        let volumes = template.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
        for mount in mounts.into_iter().flatten() {
            let volume = volumes.into_iter().flatten().find(|volume| volume.name == mount.name);
            let Some(files) = self.files(volume.context("every mount has a volume")?).await? else {
                continue;
            };
            let directory = root.join(mount.mount_path.trim_start_matches('/'));
            fs::create_dir_all(&directory)?;
            for (name, content) in files {
                let path = directory.join(&name);
                let content = match std::str::from_utf8(&content) {
                    Ok(text) => inside(root, &without_host(&name, text)).into_bytes(),
                    Err(_) => content,
                };
                if fs::read(&path).ok().as_deref() != Some(&content) {
                    let new = directory.join(format!(".{name}"));
                    fs::write(&new, content)?;
                    fs::rename(new, path)?;
                }
            }
        }
        Ok(())
    }

    /// The files of a volume that an object fills; None for others.
    async fn files(&self, volume: &Volume) -> Result<Option<Vec<(String, Vec<u8>)>>> {
        let wanted = |items: Option<&Vec<k8s_openapi::api::core::v1::KeyToPath>>, key: &str| {
            items.is_none_or(|items| items.iter().any(|item| item.key == key))
        };
        if let Some(source) = &volume.secret {
            let name = source.secret_name.as_deref().unwrap_or_default();
            let secret = Api::<Secret>::namespaced(self.client.clone(), &self.namespace)
                .get(name)
                .await?;
            let data = secret.data.unwrap_or_default().into_iter();
            let data = data.filter(|(key, _)| wanted(source.items.as_ref(), key));
            return Ok(Some(data.map(|(key, value)| (key, value.0)).collect()));
        }
        if let Some(source) = &volume.config_map {
            let api = Api::<ConfigMap>::namespaced(self.client.clone(), &self.namespace);
            let data = api.get(&source.name).await?.data.unwrap_or_default().into_iter();
            let data = data.filter(|(key, _)| wanted(source.items.as_ref(), key));
            return Ok(Some(data.map(|(key, value)| (key, value.into_bytes())).collect()));
        }
        Ok(None)
    }
}
