//! Connections to Flight servers, kept per server and trust, and dropped when they break.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::state::lock;

use super::error::{QueryError, innermost};
use super::route::Trust;
use super::target::Target;

/// Connections that are kept at most.
const CAPACITY: usize = 256;
/// How long one connection may take to come about, name resolution, TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Open connections. A changed trust is another connection, so that a withdrawn certificate ends to be trusted.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<HashMap<(Target, Trust), Channel>>);

impl Pool {
    /// The connection to `target`, established now unless there is one.
    pub(crate) async fn connection(&self, target: &Target, trust: &Trust) -> Result<Channel, QueryError> {
        let key = (target.clone(), trust.clone());
        if let Some(channel) = lock(&self.0).get(&key) {
            return Ok(channel.clone());
        }
        let channel = connect(target, trust).await?;
        let mut connections = lock(&self.0);
        if connections.len() >= CAPACITY
            && let Some(other) = connections.keys().next().cloned()
        {
            connections.remove(&other);
        }
        connections.insert(key, channel.clone());
        Ok(channel)
    }

    /// Forgets a connection that broke.
    pub(crate) fn discard(&self, target: &Target, trust: &Trust) {
        lock(&self.0).remove(&(target.clone(), trust.clone()));
    }
}

async fn connect(target: &Target, trust: &Trust) -> Result<Channel, QueryError> {
    let unreachable = |reason: String| QueryError::Unreachable {
        server: target.to_string(),
        reason,
    };
    let of_transport = |error: tonic::transport::Error| unreachable(innermost(&error));
    let mut endpoint = Endpoint::from_shared(target.http_uri())
        .map_err(of_transport)?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    if target.tls {
        let roots = trust.as_ref().ok_or_else(|| {
            unreachable("its certificate is not trusted, as the data source has no `tlsRootCertificate`".to_owned())
        })?;
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(roots))
            .timeout(CONNECT_TIMEOUT);
        endpoint = endpoint.tls_config(tls).map_err(of_transport)?;
    }
    match tokio::time::timeout(CONNECT_TIMEOUT, endpoint.connect()).await {
        Ok(connected) => connected.map_err(of_transport),
        Err(_) => Err(unreachable(format!(
            "no connection within {}",
            humantime::format_duration(CONNECT_TIMEOUT)
        ))),
    }
}
