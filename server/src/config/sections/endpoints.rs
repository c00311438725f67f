//! The HTTP endpoints beside Flight: health and metrics.

use crate::config::kinds::{Host, Port};
use crate::config::reader::{Noted, Reader};
use crate::config::sections::HostPort;
use crate::config::setting::{Is, Otherwise, settings};

settings! {
    /// The address of `/live` and `/ready`; they answer 204 when all is well, else 500.
    HEALTH_HOST: Host, Otherwise = "health_check_host", Host, Otherwise("none: no health endpoint");
    /// The port of `/live` and `/ready`.
    HEALTH_PORT: Port, Is<u16> = "health_check_port", Port, Is(8_877);
    /// The address of the metrics for Prometheus.
    METRICS_HOST: Host, Otherwise = "metrics_host", Host, Otherwise("none: no metrics endpoint");
    /// The port of the metrics.
    METRICS_PORT: Port, Is<u16> = "metrics_port", Port, Is(17_101);
}

/// What [`read`] gives: the addresses of health and metrics.
pub(super) struct Endpoints {
    pub(super) health: Option<HostPort>,
    pub(super) metrics: Option<HostPort>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Endpoints, Noted> {
    let (health_host, health_port) = (reader.read(&HEALTH_HOST), reader.read(&HEALTH_PORT));
    let (metrics_host, metrics_port) = (reader.read(&METRICS_HOST), reader.read(&METRICS_PORT));
    let (health_port, metrics_port) = (health_port?, metrics_port?);
    Ok(Endpoints {
        health: health_host?.map(|host| HostPort {
            host,
            port: health_port,
        }),
        metrics: metrics_host?.map(|host| HostPort {
            host,
            port: metrics_port,
        }),
    })
}
