use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[test]
fn only_commands_have_commands() {
    assert_eq!(command(FlightDescriptor::new_cmd("x")), Ok(Bytes::from("x")));
    assert_eq!(command(FlightDescriptor::new_path(vec!["x".into()])), Ok(Bytes::new()));
    for r#type in [0, 7, -1] {
        let descriptor = FlightDescriptor {
            r#type,
            ..FlightDescriptor::new_cmd("x")
        };
        let error = command(descriptor).expect_err("no known type");
        assert_eq!(
            error,
            FlightError::InvalidArgument("Client sent UNKNOWN descriptor type".into())
        );
    }
}

#[test]
fn prefixes_tell_what_is_asked() {
    let parse = |command: &'static [u8]| Poll::parse(Bytes::from_static(command));
    assert_eq!(parse(b"c:a1"), Ok(Poll::Cancel("a1".into())));
    assert_eq!(parse(b"r:"), Ok(Poll::Retry(String::new())));
    assert_eq!(parse(b"{}"), Ok(Poll::Submit(Bytes::from_static(b"{}"))));
    assert_eq!(parse(b"R:a1"), Ok(Poll::Submit(Bytes::from_static(b"R:a1"))));
    assert_eq!(
        parse(b"").expect_err("nothing asked").message(),
        "Incorrect FlexConnect function invocation. Flight descriptor must contain command with the invocation payload."
    );
    for command in [&b"c:\xff"[..], b"r:\xff"] {
        assert!(matches!(parse(command), Err(FlightError::InvalidArgument(_))));
    }
}

#[test]
fn retry_info_holds_descriptors_that_come_back() {
    let task = TaskId::random();
    let text = String::from_utf8(retry_info(task)).expect("JSON is UTF-8");
    assert!(
        text.starts_with(r#"{"flight_info":null,"retry_descriptor":"CAISI"#),
        "{text}"
    );
    let info: Value = serde_json::from_str(&text).expect("JSON");
    let keys: Vec<_> = info.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["flight_info", "retry_descriptor", "cancel_descriptor"]);

    let back = |key: &str| {
        let bytes = BASE64_STANDARD
            .decode(info[key].as_str().expect("text"))
            .expect("padded base64");
        assert_eq!(bytes[..4], [0x08, 0x02, 0x12, 0x22]);
        let descriptor = FlightDescriptor::decode(&bytes[..]).expect("a descriptor");
        Poll::parse(command(descriptor).expect("a command"))
    };
    assert_eq!(back("retry_descriptor"), Ok(Poll::Retry(task.to_string())));
    assert_eq!(back("cancel_descriptor"), Ok(Poll::Cancel(task.to_string())));
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = Poll::parse(bytes.into());
    }
}
