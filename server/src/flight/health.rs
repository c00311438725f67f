//! `grpc.health.v1.Health`: what `/ready` says, for gRPC clients and load balancers. Needs no token.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::admin::Health;
use crate::drain::Phase;

/// Calls that belong here.
pub(crate) const SERVICE: &str = "/grpc.health.v1.Health/";

/// The service that clients may ask for by name; the empty name means the server as a whole.
const FLIGHT: &str = "arrow.flight.protocol.FlightService";

/// How often watchers look for what no phase tells, such as a part that is stuck.
const LOOK: Duration = Duration::from_secs(1);

/// More than any name of a service that there is.
const MAX_REQUEST_BYTES: usize = 4 * 1024;

/// The health service. Watchers are told of changes until the server stops.
pub(crate) fn service(health: Health, phase: watch::Receiver<Phase>) -> HealthServer<impl HealthService> {
    HealthServer::new(GrpcHealth { health, phase }).max_decoding_message_size(MAX_REQUEST_BYTES)
}

#[derive(Clone)]
struct GrpcHealth {
    health: Health,
    phase: watch::Receiver<Phase>,
}

impl GrpcHealth {
    fn status(&self, asked: Asked) -> ServingStatus {
        match asked {
            Asked::Unknown => ServingStatus::ServiceUnknown,
            Asked::Known if self.health.is_ready() => ServingStatus::Serving,
            Asked::Known => ServingStatus::NotServing,
        }
    }

    /// The status when it is another than the last one; `None` when the server stops.
    async fn changed(&mut self, asked: Asked, last: Option<ServingStatus>) -> Option<ServingStatus> {
        loop {
            let status = self.status(asked);
            if last != Some(status) {
                return Some(status);
            }
            if *self.phase.borrow_and_update() == Phase::Stopped {
                return None;
            }
            if let Ok(Err(_)) = timeout(LOOK, self.phase.changed()).await {
                return None;
            }
        }
    }
}

#[async_trait]
impl HealthService for GrpcHealth {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        match Asked::for_service(&request.get_ref().service) {
            known @ Asked::Known => Ok(Response::new(answer(self.status(known)))),
            Asked::Unknown => Err(Status::not_found("the server has no such service")),
        }
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        // For a service that is not there the protocol wants the stream open, as if it might come.
        let asked = Asked::for_service(&request.get_ref().service);
        let states = stream::unfold((self.clone(), None), move |(mut health, last)| async move {
            let status = health.changed(asked, last).await?;
            Some((Ok(answer(status)), (health, Some(status))))
        });
        Ok(Response::new(states.boxed()))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

/// What a client asks for the health of.
#[derive(Clone, Copy, Debug)]
enum Asked {
    /// The server, by either name.
    Known,
    /// A service that it does not have.
    Unknown,
}

impl Asked {
    fn for_service(name: &str) -> Self {
        if name.is_empty() || name == FLIGHT {
            Self::Known
        } else {
            Self::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::Pulse;

    const SERVING: i32 = ServingStatus::Serving as i32;
    const NOT_SERVING: i32 = ServingStatus::NotServing as i32;

    fn health() -> (GrpcHealth, watch::Sender<Phase>) {
        let (sender, phase) = watch::channel(Phase::Starting);
        let health = Health::new(phase.clone(), vec![Pulse::new("part")]);
        (GrpcHealth { health, phase }, sender)
    }

    fn of(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest {
            service: service.to_owned(),
        })
    }

    #[tokio::test]
    async fn the_status_follows_the_phase_under_both_names() {
        let (health, phase) = health();
        for (phase_now, expected) in [
            (Phase::Starting, NOT_SERVING),
            (Phase::Serving, SERVING),
            (Phase::LameDuck, NOT_SERVING),
        ] {
            phase.send_replace(phase_now);
            for name in ["", FLIGHT] {
                let answer = health.check(of(name)).await.unwrap().into_inner();
                assert_eq!(answer.status, expected, "{phase_now:?} {name}");
            }
        }
        let unknown = health.check(of("other.Service")).await.unwrap_err();
        assert_eq!(unknown.code(), tonic::Code::NotFound);
    }

    #[tokio::test(start_paused = true)]
    async fn watchers_hear_of_changes_until_the_end() {
        let (health, phase) = health();
        let mut watched = health.watch(of("")).await.unwrap().into_inner();
        let mut next = async || watched.next().await.map(|answer| answer.unwrap().status);
        assert_eq!(next().await, Some(NOT_SERVING));
        phase.send_replace(Phase::Serving);
        assert_eq!(next().await, Some(SERVING));
        phase.send_replace(Phase::LameDuck);
        assert_eq!(next().await, Some(NOT_SERVING));
        phase.send_replace(Phase::Stopped);
        assert_eq!(next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_watches_what_is_not_there_is_told_so_and_stays() {
        let (health, phase) = health();
        let mut watched = health.watch(of("other.Service")).await.unwrap().into_inner();
        let first = watched.next().await.unwrap().unwrap();
        assert_eq!(first.status, i32::from(ServingStatus::ServiceUnknown));
        phase.send_replace(Phase::Serving);
        assert!(
            timeout(LOOK * 10, watched.next()).await.is_err(),
            "nothing new, and no end"
        );
        phase.send_replace(Phase::Stopped);
        assert!(watched.next().await.is_none());
    }
}
