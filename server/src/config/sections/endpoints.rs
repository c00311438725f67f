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

/// `flight` is where Flight listens, if that is known.
pub(super) fn read(reader: &mut Reader<'_>, flight: Option<&HostPort>) -> Result<Endpoints, Noted> {
    let (health_host, health_port) = (reader.read(&HEALTH_HOST), reader.read(&HEALTH_PORT));
    let (metrics_host, metrics_port) = (reader.read(&METRICS_HOST), reader.read(&METRICS_PORT));
    let (health_port, metrics_port) = (health_port?, metrics_port?);
    let health = health_host?.map(|host| HostPort {
        host,
        port: health_port,
    });
    let metrics = metrics_host?.map(|host| HostPort {
        host,
        port: metrics_port,
    });
    let taken = |address: &Option<HostPort>, by: Option<&HostPort>| {
        let both = address.as_ref().zip(by);
        both.is_some_and(|(address, by)| address.overlaps(by))
    };
    let pairs = [
        (HEALTH_PORT.name, taken(&health, flight), "Flight listens on it"),
        (METRICS_PORT.name, taken(&metrics, flight), "Flight listens on it"),
        (
            METRICS_PORT.name,
            taken(&metrics, health.as_ref()),
            "health checks are there",
        ),
    ];
    match pairs.into_iter().find(|(_, taken, _)| *taken) {
        Some((setting, _, by)) => Err(reader.refuse(setting, format!("is taken: {by}"), "choose another port")),
        None => Ok(Endpoints { health, metrics }),
    }
}
