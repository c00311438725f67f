//! Metrics of programs that the server hosts.

/// A page in the text format of Prometheus.
pub fn metrics(bytes: &[u8]) {
    crate::telemetry::metrics::fuzz_hosted(&String::from_utf8_lossy(bytes));
}
