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
    let clash = |one: Option<&HostPort>, other: Option<&HostPort>| {
        let both = one.zip(other);
        both.is_some_and(|(one, other)| one.overlaps(other))
    };
    let (at_health, at_metrics) = (health.as_ref(), metrics.as_ref());
    let clashes = [
        (HEALTH_PORT.name, "Flight listens on it", clash(at_health, flight)),
        (METRICS_PORT.name, "Flight listens on it", clash(at_metrics, flight)),
        (
            METRICS_PORT.name,
            "health checks are there",
            clash(at_metrics, at_health),
        ),
    ];
    match clashes.into_iter().find(|(_, _, clashes)| *clashes) {
        Some((port, by, _)) => Err(reader.refuse(port, format!("is taken: {by}"), "choose another port")),
        None => Ok(Endpoints { health, metrics }),
    }
}
