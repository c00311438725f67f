//! What one client does over and over.

use arrow_flight::FlightDescriptor;
use bytes::Bytes;
use flexconnect_bench as tables;
use serde_json::{Value, json};

use crate::client::{CallError, Chunk, Connection, Method, read, request, ticket_of, unary};

/// How a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// GetFlightInfo, and no more.
    Ask,
    /// GetFlightInfo, then DoGet.
    AskAndRead,
    /// DoGet of a result that is there already.
    Read,
    /// One message there and a few bytes back, by a server that does nothing else.
    Echo,
}

/// One kind of call.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) step: Step,
    /// The request of its GetFlightInfo, or with [`Step::Read`] of its DoGet.
    pub(crate) request: Bytes,
    /// The rows that its answer has.
    pub(crate) rows: u64,
}

impl Work {
    /// A call of a function.
    pub(crate) fn call(step: Step, function: &str, parameters: &Value, rows: i64) -> Self {
        let command = json!({"functionName": function, "parameters": parameters}).to_string();
        Self {
            step,
            request: request(&FlightDescriptor::new_cmd(command)),
            rows: rows.unsigned_abs(),
        }
    }

    /// GetFlightInfo and DoGet of ten rows: what most of the figures for calls count.
    pub(crate) fn tiny() -> Self {
        Self::call(Step::AskAndRead, "Tiny", &json!({}), tables::TINY_ROWS)
    }

    /// A call that sleeps.
    pub(crate) fn sleep(milliseconds: u32) -> Self {
        Self::call(
            Step::AskAndRead,
            "Sleep",
            &json!({"ms": milliseconds}),
            tables::TINY_ROWS,
        )
    }

    /// A call that computes for 50 ms.
    pub(crate) fn cpu() -> Self {
        Self::call(Step::AskAndRead, "Cpu", &json!({"ms": 50}), tables::TINY_ROWS)
    }

    /// The same table again and again: asked for here, once.
    pub(crate) async fn stored(
        connection: &Connection,
        function: &str,
        parameters: &Value,
        rows: i64,
    ) -> Result<Self, CallError> {
        let asked = Self::call(Step::Ask, function, parameters, rows);
        let info = unary(connection, Method::GetFlightInfo, asked.request).await?;
        Ok(Self {
            step: Step::Read,
            request: ticket_of(info)?,
            rows: asked.rows,
        })
    }
}

/// What happens during a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// Its DoGet goes out.
    AskedToRead,
    /// Something of the answer came.
    Arrived(Chunk),
}

/// Makes one call and checks its answer; `told` hears what happens meanwhile.
pub(crate) async fn call(connection: &Connection, work: &Work, mut told: impl FnMut(Event)) -> Result<(), CallError> {
    let ticket = match work.step {
        Step::Read => work.request.clone(),
        Step::Ask | Step::AskAndRead | Step::Echo => {
            let info = unary(connection, Method::GetFlightInfo, work.request.clone()).await?;
            if work.step == Step::Echo {
                return Ok(());
            }
            ticket_of(info)?
        }
    };
    if work.step == Step::Ask {
        return Ok(());
    }
    told(Event::AskedToRead);
    let totals = read(connection, ticket, |chunk| told(Event::Arrived(chunk))).await?;
    if totals.rows == work.rows {
        Ok(())
    } else {
        let (found, wanted) = (totals.rows, work.rows);
        Err(CallError::Answer(format!("{found} rows instead of {wanted}")))
    }
}
