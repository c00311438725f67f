//! Flight's protocol as protobuf descriptors, for reflection. The types we send and read are arrow-flight's; a test holds
//! both together.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, MethodDescriptorProto, OneofDescriptorProto, ServiceDescriptorProto,
};

const PACKAGE: &str = "arrow.flight.protocol";
const TIMESTAMP: &str = "google/protobuf/timestamp.proto";

/// What a field holds.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Int32,
    Int64,
    Uint64,
    Double,
    Text,
    Bytes,
    /// A message, by its full name.
    Message(&'static str),
    /// An enumeration, by its full name.
    Enum(&'static str),
}

/// How often a field is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    One,
    /// Once or not at all, and the difference can be told.
    Optional,
    Many,
}

type Field = (&'static str, i32, Kind, Times);

use Kind::{Bool, Bytes, Double, Int32, Int64, Message, Text, Uint64};
use Times::{Many, One, Optional};

const DESCRIPTOR: Kind = Message(".arrow.flight.protocol.FlightDescriptor");
const INFO: Kind = Message(".arrow.flight.protocol.FlightInfo");
const ENDPOINT: Kind = Message(".arrow.flight.protocol.FlightEndpoint");
const TIME: Kind = Message(".google.protobuf.Timestamp");

const MESSAGES: &[(&str, &[Field])] = &[
    (
        "HandshakeRequest",
        &[("protocol_version", 1, Uint64, One), ("payload", 2, Bytes, One)],
    ),
    (
        "HandshakeResponse",
        &[("protocol_version", 1, Uint64, One), ("payload", 2, Bytes, One)],
    ),
    ("BasicAuth", &[("username", 2, Text, One), ("password", 3, Text, One)]),
    ("Empty", &[]),
    ("ActionType", &[("type", 1, Text, One), ("description", 2, Text, One)]),
    ("Criteria", &[("expression", 1, Bytes, One)]),
    ("Action", &[("type", 1, Text, One), ("body", 2, Bytes, One)]),
    ("Result", &[("body", 1, Bytes, One)]),
    ("SchemaResult", &[("schema", 1, Bytes, One)]),
    (
        "FlightDescriptor",
        &[
            (
                "type",
                1,
                Kind::Enum(".arrow.flight.protocol.FlightDescriptor.DescriptorType"),
                One,
            ),
            ("cmd", 2, Bytes, One),
            ("path", 3, Text, Many),
        ],
    ),
    (
        "FlightInfo",
        &[
            ("schema", 1, Bytes, One),
            ("flight_descriptor", 2, DESCRIPTOR, One),
            ("endpoint", 3, ENDPOINT, Many),
            ("total_records", 4, Int64, One),
            ("total_bytes", 5, Int64, One),
            ("ordered", 6, Bool, One),
            ("app_metadata", 7, Bytes, One),
        ],
    ),
    (
        "PollInfo",
        &[
            ("info", 1, INFO, One),
            ("flight_descriptor", 2, DESCRIPTOR, One),
            ("progress", 3, Double, Optional),
            ("expiration_time", 4, TIME, One),
        ],
    ),
    (
        "FlightEndpoint",
        &[
            ("ticket", 1, Message(".arrow.flight.protocol.Ticket"), One),
            ("location", 2, Message(".arrow.flight.protocol.Location"), Many),
            ("expiration_time", 3, TIME, One),
            ("app_metadata", 4, Bytes, One),
        ],
    ),
    ("Location", &[("uri", 1, Text, One)]),
    ("Ticket", &[("ticket", 1, Bytes, One)]),
    (
        "FlightData",
        &[
            ("flight_descriptor", 1, DESCRIPTOR, One),
            ("data_header", 2, Bytes, One),
            ("app_metadata", 3, Bytes, One),
            ("data_body", 1000, Bytes, One),
        ],
    ),
    ("PutResult", &[("app_metadata", 1, Bytes, One)]),
    ("CancelFlightInfoRequest", &[("info", 1, INFO, One)]),
    (
        "CancelFlightInfoResult",
        &[("status", 1, Kind::Enum(".arrow.flight.protocol.CancelStatus"), One)],
    ),
    ("RenewFlightEndpointRequest", &[("endpoint", 1, ENDPOINT, One)]),
];

const DESCRIPTOR_TYPES: &[(&str, i32)] = &[("UNKNOWN", 0), ("PATH", 1), ("CMD", 2)];

const CANCEL_STATUSES: &[(&str, i32)] = &[
    ("CANCEL_STATUS_UNSPECIFIED", 0),
    ("CANCEL_STATUS_CANCELLED", 1),
    ("CANCEL_STATUS_CANCELLING", 2),
    ("CANCEL_STATUS_NOT_CANCELLABLE", 3),
];

/// Name, request, answer, and whether either is a stream.
const METHODS: &[(&str, &str, &str, bool, bool)] = &[
    ("Handshake", "HandshakeRequest", "HandshakeResponse", true, true),
    ("ListFlights", "Criteria", "FlightInfo", false, true),
    ("GetFlightInfo", "FlightDescriptor", "FlightInfo", false, false),
    ("PollFlightInfo", "FlightDescriptor", "PollInfo", false, false),
    ("GetSchema", "FlightDescriptor", "SchemaResult", false, false),
    ("DoGet", "Ticket", "FlightData", false, true),
    ("DoPut", "FlightData", "PutResult", true, true),
    ("DoExchange", "FlightData", "FlightData", true, true),
    ("DoAction", "Action", "Result", false, true),
    ("ListActions", "Empty", "ActionType", false, true),
];

/// Flight's file, and the one it imports.
pub(super) fn files() -> FileDescriptorSet {
    let timestamp = FileDescriptorProto {
        name: Some(TIMESTAMP.to_owned()),
        package: Some("google.protobuf".to_owned()),
        message_type: vec![message(
            "Timestamp",
            &[("seconds", 1, Int64, One), ("nanos", 2, Int32, One)],
        )],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    let flight = FileDescriptorProto {
        name: Some("Flight.proto".to_owned()),
        package: Some(PACKAGE.to_owned()),
        dependency: vec![TIMESTAMP.to_owned()],
        message_type: MESSAGES.iter().map(|(name, fields)| message(name, fields)).collect(),
        enum_type: vec![enumeration("CancelStatus", CANCEL_STATUSES)],
        service: vec![service()],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet {
        file: vec![timestamp, flight],
    }
}

fn message(name: &str, fields: &[Field]) -> DescriptorProto {
    // proto3 keeps track of a single value's presence by a group of one.
    let groups = fields
        .iter()
        .filter(|(_, _, _, times)| *times == Optional)
        .map(|(name, ..)| OneofDescriptorProto {
            name: Some(format!("_{name}")),
            ..OneofDescriptorProto::default()
        });
    let enum_type = match name {
        "FlightDescriptor" => vec![enumeration("DescriptorType", DESCRIPTOR_TYPES)],
        _ => Vec::new(),
    };
    DescriptorProto {
        name: Some(name.to_owned()),
        field: fields.iter().map(field).collect(),
        oneof_decl: groups.collect(),
        enum_type,
        ..DescriptorProto::default()
    }
}

fn field(&(name, number, kind, times): &Field) -> FieldDescriptorProto {
    let (r#type, type_name) = match kind {
        Bool => (Type::Bool, None),
        Int32 => (Type::Int32, None),
        Int64 => (Type::Int64, None),
        Uint64 => (Type::Uint64, None),
        Double => (Type::Double, None),
        Text => (Type::String, None),
        Bytes => (Type::Bytes, None),
        Message(name) => (Type::Message, Some(name.to_owned())),
        Kind::Enum(name) => (Type::Enum, Some(name.to_owned())),
    };
    let label = match times {
        One | Optional => Label::Optional,
        Many => Label::Repeated,
    };
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(label.into()),
        r#type: Some(r#type.into()),
        type_name,
        // No message has more than one such field.
        oneof_index: (times == Optional).then_some(0),
        proto3_optional: (times == Optional).then_some(true),
        ..FieldDescriptorProto::default()
    }
}

fn enumeration(name: &str, values: &[(&str, i32)]) -> EnumDescriptorProto {
    let value = |&(name, number): &(&str, i32)| EnumValueDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        ..EnumValueDescriptorProto::default()
    };
    EnumDescriptorProto {
        name: Some(name.to_owned()),
        value: values.iter().map(value).collect(),
        ..EnumDescriptorProto::default()
    }
}

fn service() -> ServiceDescriptorProto {
    let method = |&(name, request, answer, client_streams, server_streams): &(&str, &str, &str, bool, bool)| {
        MethodDescriptorProto {
            name: Some(name.to_owned()),
            input_type: Some(format!(".{PACKAGE}.{request}")),
            output_type: Some(format!(".{PACKAGE}.{answer}")),
            client_streaming: Some(client_streams),
            server_streaming: Some(server_streams),
            ..MethodDescriptorProto::default()
        }
    };
    ServiceDescriptorProto {
        name: Some("FlightService".to_owned()),
        method: METHODS.iter().map(method).collect(),
        ..ServiceDescriptorProto::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arrow_flight::{
        Action, CancelFlightInfoRequest, CancelStatus, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo,
        Location, PollInfo, RenewFlightEndpointRequest, Ticket,
    };
    use prost::encoding::{WireType, decode_key, decode_varint};
    use prost_types::Timestamp;

    use super::*;

    /// The numbers of the fields of an encoded message.
    fn numbers(message: &impl prost::Message) -> BTreeSet<u32> {
        let encoded = message.encode_to_vec();
        let mut rest = &encoded[..];
        let mut numbers = BTreeSet::new();
        while !rest.is_empty() {
            let (number, wire) = decode_key(&mut rest).expect("a key");
            numbers.insert(number);
            let skip = match wire {
                WireType::Varint => {
                    decode_varint(&mut rest).expect("a number");
                    0
                }
                WireType::SixtyFourBit => 8,
                WireType::LengthDelimited => {
                    usize::try_from(decode_varint(&mut rest).expect("a length")).expect("short")
                }
                other => panic!("{other:?}"),
            };
            rest = &rest[skip..];
        }
        numbers
    }

    fn described(name: &str) -> BTreeSet<u32> {
        let (_, fields) = MESSAGES
            .iter()
            .find(|(message, _)| *message == name)
            .expect("it is there");
        fields.iter().map(|&(_, number, ..)| number.unsigned_abs()).collect()
    }

    #[test]
    fn fields_are_those_that_travel() {
        let descriptor = FlightDescriptor {
            path: vec!["p".into()],
            ..FlightDescriptor::new_cmd("c")
        };
        let endpoint = FlightEndpoint {
            ticket: Some(Ticket { ticket: "t".into() }),
            location: vec![Location { uri: "u".into() }],
            expiration_time: Some(Timestamp::default()),
            app_metadata: "a".into(),
        };
        let info = FlightInfo {
            schema: "s".into(),
            flight_descriptor: Some(descriptor.clone()),
            endpoint: vec![endpoint.clone()],
            total_records: 1,
            total_bytes: 1,
            ordered: true,
            app_metadata: "a".into(),
        };
        let poll = PollInfo {
            info: Some(info.clone()),
            flight_descriptor: Some(descriptor.clone()),
            progress: Some(0.5),
            expiration_time: Some(Timestamp::default()),
        };
        let data = FlightData {
            flight_descriptor: Some(descriptor.clone()),
            data_header: "h".into(),
            app_metadata: "a".into(),
            data_body: "b".into(),
        };
        assert_eq!(numbers(&descriptor), described("FlightDescriptor"));
        assert_eq!(numbers(&endpoint), described("FlightEndpoint"));
        assert_eq!(numbers(&info), described("FlightInfo"));
        assert_eq!(numbers(&poll), described("PollInfo"));
        assert_eq!(numbers(&data), described("FlightData"));
        assert_eq!(numbers(&Action::new("t", "b")), described("Action"));
        let (cancel, renew) = (
            CancelFlightInfoRequest { info: Some(info) },
            RenewFlightEndpointRequest {
                endpoint: Some(endpoint),
            },
        );
        assert_eq!(numbers(&cancel), described("CancelFlightInfoRequest"));
        assert_eq!(numbers(&renew), described("RenewFlightEndpointRequest"));
        for &(name, number) in CANCEL_STATUSES {
            assert_eq!(CancelStatus::from_str_name(name).map(i32::from), Some(number));
        }
    }

    #[test]
    fn every_name_that_is_used_is_there() {
        let files = files();
        let messages: BTreeSet<String> = files
            .file
            .iter()
            .flat_map(|file| {
                file.message_type
                    .iter()
                    .map(|message| format!(".{}.{}", file.package(), message.name()))
            })
            .collect();
        let fields = files
            .file
            .iter()
            .flat_map(|file| &file.message_type)
            .flat_map(|message| &message.field);
        for field in fields.filter(|field| field.r#type() == Type::Message) {
            assert!(messages.contains(field.type_name()), "{}", field.type_name());
        }
        for method in &files.file[1].service[0].method {
            assert!(messages.contains(method.input_type()) && messages.contains(method.output_type()));
        }
        super::super::services().expect("the files can be served");
    }
}
