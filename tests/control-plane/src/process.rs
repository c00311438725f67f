//! The operator as a process: started, stopped, frozen and killed like one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use kube::Config;
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tempfile::TempDir;

/// Where to find the API server and who one is, as a file.
pub struct Kubeconfig {
    folder: TempDir,
}

impl Kubeconfig {
    /// For the account that the configuration holds the token of.
    ///
    /// # Errors
    /// When it holds none, or the file cannot be written.
    pub fn write(config: &Config, namespace: &str) -> Result<Self> {
        let token = config.auth_info.token.as_ref().context("an account with a token")?;
        let file = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": config.cluster_url.to_string(), "certificate-authority-data": authority(config)?}}],
            "users": [{"name": "test", "user": {"token": token.expose_secret()}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
        });
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("config"), file.to_string())?;
        Ok(Self { folder })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("config")
    }
}

/// The CA of the API server as a kubeconfig holds it.
fn authority(config: &Config) -> Result<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let ders = config
        .root_cert
        .as_ref()
        .context("the API server has a CA of its own")?;
    let mut pem = String::new();
    for der in ders {
        pem.extend([
            "-----BEGIN CERTIFICATE-----\n",
            &STANDARD.encode(der),
            "\n-----END CERTIFICATE-----\n",
        ]);
    }
    Ok(STANDARD.encode(pem))
}

/// A process of the operator. Dropped, it is killed.
pub struct Operator {
    child: Child,
    address: String,
    log: PathBuf,
}

impl Operator {
    /// Starts `flexconnect-operator run` with these arguments.
    ///
    /// # Errors
    /// When there is no such program, which tests/control-plane/run builds.
    pub fn start(kubeconfig: &Kubeconfig, name: &str, arguments: &[&str]) -> Result<Self> {
        let program = std::env::var_os("FLEXCONNECT_OPERATOR")
            .context("FLEXCONNECT_OPERATOR names no program; run these tests by tests/control-plane/run")?;
        // A port that is free now; another process would have to take it within milliseconds.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let log = kubeconfig.path().with_file_name(format!("{name}.log"));
        let child = Command::new(Path::new(&program))
            .args(["run", "--listen", &address])
            .args(arguments)
            .env("KUBECONFIG", kubeconfig.path())
            .env("POD_NAME", name)
            .env("RUST_LOG", "info,kube_client=off,kube_runtime=error")
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .spawn()
            .context("cannot start the operator")?;
        Ok(Self { child, address, log })
    }

    /// Whether it leads, as its metrics tell. False, too, when it does not answer.
    pub async fn leads(&self) -> bool {
        self.metric("flexconnect_operator_leader").await == Some(1.0)
    }

    /// One of its metrics.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let (_, page) = self.get("metrics").await.ok()?;
        let line = page.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    }

    /// The status and text of one of its pages.
    ///
    /// # Errors
    /// When it does not answer within a second.
    pub async fn get(&self, page: &str) -> Result<(u16, String)> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(1)).build()?;
        let answer = client.get(format!("http://{}/{page}", self.address)).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("a process has an id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not end within 30 s.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the operator does not end; its log:\n{}", self.log())
    }

    /// The id of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
