//! When a replica was called last, as its admin port tells.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use crate::exposure::HEALTH_PORT;

/// The admin port has threads of its own: it answers at once, or not at all.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The time since the last call of a function: `Some(None)` when there was none yet, None when nobody answers.
pub async fn since_last_call(address: IpAddr) -> Option<Option<Duration>> {
    #[derive(Deserialize)]
    struct Status {
        since_last_call_sec: Option<f64>,
    }
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build().ok()?;
    let url = format!("http://{}/status", SocketAddr::new(address, HEALTH_PORT));
    let answer = client.get(url).send().await.ok()?.error_for_status().ok()?;
    let status: Status = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
    let since = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    Some(status.since_last_call_sec.map(since))
}
