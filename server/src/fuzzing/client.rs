//! What the command line is given, and what servers elsewhere answer it.

use arrow::datatypes::Schema;
use serde_json::Value;
use tonic::{Code, Status};

use super::dice::Dice;
use super::fits;
use crate::cli;
use crate::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};
use crate::function::DataSourceMessage;
use crate::task::Output;

/// The first byte chooses what the rest is: an argument of `call`, the URL of a server, the details of its answer, an
/// error on its way out, or messages that travel with a result.
pub fn client(bytes: &[u8]) {
    let mut dice = Dice(bytes);
    match dice.below(5) {
        0 => text(dice.0, cli::fuzz_argument),
        1 => text(dice.0, cli::fuzz_url),
        2 => {
            let code = Code::from_i32(i32::from(dice.byte()));
            cli::fuzz_answer(&Status::with_details(code, "message", dice.0.to_vec().into()));
        }
        3 => error(&mut dice),
        _ => messages(dice.0),
    }
}

fn text(bytes: &[u8], read: impl Fn(&str)) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        read(text);
    }
}

/// However long an error is, it fits, and its code arrives.
fn error(dice: &mut Dice<'_>) {
    let code = ErrorCode::new(i32::from_le_bytes(dice.array()));
    let [message, detail] = [(); 2].map(|()| {
        let repeated = dice.below(200);
        let length = dice.below(100);
        String::from_utf8_lossy(dice.bytes(length)).repeat(repeated)
    });
    let info = ErrorInfo::new(code, message)
        .with_detail(detail)
        .with_body(dice.0.to_vec());
    let status = Status::from(FlightError::new(FlightKind::Internal, info));
    let arrived: Value = serde_json::from_slice(status.details()).expect("details are JSON");
    assert_eq!(arrived["code"], code.wire(), "another code");
    fits(status.clone());
    cli::fuzz_answer(&status);
}

/// Messages arrive as they were sent, whatever is in them.
fn messages(bytes: &[u8]) {
    let Ok(data) = serde_json::from_slice::<Option<Value>>(bytes) else {
        return;
    };
    let message = DataSourceMessage {
        source: "source".to_owned(),
        correlation_id: "1".to_owned(),
        kind: "info".to_owned(),
        data,
    };
    let output = Output::table(Schema::empty().into(), Vec::new()).with_messages(std::slice::from_ref(&message));
    let output = output.expect("values are JSON");
    let sent: Value = output
        .schema()
        .metadata()
        .values()
        .next()
        .and_then(|text| serde_json::from_str(text).ok())
        .expect("the messages");
    assert_eq!(sent[0]["data"], message.data.unwrap_or_default(), "another message");
}
