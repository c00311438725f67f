//! What is measured of RPCs: how many, how they ended, how long they took.

use std::sync::{Arc, OnceLock};

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use tokio::time::Instant;
use tonic::Code;

use super::family;
use crate::telemetry::Rpc;

/// The codes of gRPC, 0 to 16.
const CODES: usize = 17;

/// The families by method, and the series of each method that was called.
#[derive(Debug)]
pub(super) struct Rpcs {
    ended: IntCounterVec,
    seconds: HistogramVec,
    in_flight: IntGaugeVec,
    methods: Box<[OnceLock<Arc<Series>>]>,
}

#[derive(Debug)]
struct Series {
    name: &'static str,
    ended: [OnceLock<IntCounter>; CODES],
    all_ended: IntCounterVec,
    seconds: Histogram,
    in_flight: IntGauge,
}

impl Rpcs {
    pub(super) fn register(registry: &Registry) -> Self {
        Self {
            ended: family::counters(
                registry,
                "flexconnect_rpcs_total",
                "Calls that ended, by method and gRPC code. Answers to polling clients that have to come again are \
                 DEADLINE_EXCEEDED.",
                &["method", "code"],
            ),
            seconds: family::seconds(
                registry,
                "flexconnect_rpc_seconds",
                "Time from the arrival of a call to the end of its answer.",
                &["method"],
            ),
            in_flight: family::gauges(
                registry,
                "flexconnect_rpcs_in_flight",
                "Calls being answered.",
                &["method"],
            ),
            methods: Rpc::ALL.iter().map(|_| OnceLock::new()).collect(),
        }
    }

    pub(super) fn arrived(&self, rpc: Rpc) -> RpcMeter {
        let series = self.methods[rpc as usize].get_or_init(|| {
            let name = rpc.method();
            Arc::new(Series {
                name,
                ended: std::array::from_fn(|_| OnceLock::new()),
                all_ended: self.ended.clone(),
                seconds: self.seconds.with_label_values(&[name]),
                in_flight: self.in_flight.with_label_values(&[name]),
            })
        });
        series.in_flight.inc();
        RpcMeter {
            series: Arc::clone(series),
            arrived: Instant::now(),
            code: Code::Cancelled,
        }
    }
}

/// Follows one call. Dropped before its end, it counts as cancelled: the client went away.
#[derive(Debug)]
#[must_use = "the call counts as cancelled when its meter is dropped"]
pub struct RpcMeter {
    series: Arc<Series>,
    arrived: Instant,
    code: Code,
}

impl RpcMeter {
    /// The answer ended with this code.
    pub fn ended(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for RpcMeter {
    fn drop(&mut self) {
        let series = &self.series;
        let ended = series.ended[self.code as usize]
            .get_or_init(|| series.all_ended.with_label_values(&[series.name, code_name(self.code)]));
        ended.inc();
        series.seconds.observe(self.arrived.elapsed().as_secs_f64());
        series.in_flight.dec();
    }
}

/// A code as gRPC writes it.
const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
