//! Functions that take time: of a core, or of the clock.

use std::hint::black_box;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use flexconnect_bench as tables;
use flexconnect_server::{Call, FlexConnectFunction, FunctionError, Output, async_trait};
use rustix::time::{ClockId, clock_gettime};

use crate::results::number;

/// Burns `ms` milliseconds of its thread's CPU time, so that waiting for a core is not work.
pub(crate) struct Cpu;

#[async_trait]
impl FlexConnectFunction for Cpu {
    fn name(&self) -> &'static str {
        "Cpu"
    }

    fn schema(&self) -> SchemaRef {
        tables::tiny_schema()
    }

    fn blocking(&self) -> bool {
        true
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let end = used() + duration(&call, 50);
        let mut sum = 0_u64;
        while used() < end {
            for n in 0..10_000 {
                sum = black_box(sum.wrapping_mul(31).wrapping_add(n));
            }
        }
        Ok(tables::tiny(0, tables::TINY_ROWS)?.into())
    }
}

/// CPU time of this thread.
fn used() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

/// Sleeps `ms` milliseconds, or until the call is cancelled.
pub(crate) struct Sleep;

#[async_trait]
impl FlexConnectFunction for Sleep {
    fn name(&self) -> &'static str {
        "Sleep"
    }

    fn schema(&self) -> SchemaRef {
        tables::tiny_schema()
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        tokio::time::sleep(duration(&call, 100)).await;
        Ok(tables::tiny(0, tables::TINY_ROWS)?.into())
    }
}

fn duration(call: &Call, default: i64) -> Duration {
    Duration::from_millis(u64::try_from(number(call, "ms", default)).unwrap_or_default())
}
