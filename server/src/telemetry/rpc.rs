//! The methods that clients call, as metrics and traces name them.

/// A method of a service on the Flight port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rpc {
    /// `Handshake`
    Handshake,
    /// `ListFlights`
    ListFlights,
    /// `GetFlightInfo`
    GetFlightInfo,
    /// `PollFlightInfo`
    PollFlightInfo,
    /// `GetSchema`
    GetSchema,
    /// `DoGet`
    DoGet,
    /// `DoPut`
    DoPut,
    /// `DoExchange`
    DoExchange,
    /// `DoAction`
    DoAction,
    /// `ListActions`
    ListActions,
    /// Any method of the gRPC reflection service.
    Reflection,
    /// Whatever clients may make up.
    Other,
}

impl Rpc {
    /// Every method.
    pub const ALL: &[Self] = &[
        Self::Handshake,
        Self::ListFlights,
        Self::GetFlightInfo,
        Self::PollFlightInfo,
        Self::GetSchema,
        Self::DoGet,
        Self::DoPut,
        Self::DoExchange,
        Self::DoAction,
        Self::ListActions,
        Self::Reflection,
        Self::Other,
    ];

    /// The method of a request, from its path.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        let Some((service, method)) = path.trim_start_matches('/').split_once('/') else {
            return Self::Other;
        };
        match service {
            "arrow.flight.protocol.FlightService" => {
                let flight = Self::ALL.iter().find(|rpc| rpc.is_flight() && rpc.method() == method);
                flight.copied().unwrap_or(Self::Other)
            }
            "grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection" => Self::Reflection,
            _ => Self::Other,
        }
    }

    /// The name of the method, which is the label of metrics.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Handshake => "Handshake",
            Self::ListFlights => "ListFlights",
            Self::GetFlightInfo => "GetFlightInfo",
            Self::PollFlightInfo => "PollFlightInfo",
            Self::GetSchema => "GetSchema",
            Self::DoGet => "DoGet",
            Self::DoPut => "DoPut",
            Self::DoExchange => "DoExchange",
            Self::DoAction => "DoAction",
            Self::ListActions => "ListActions",
            Self::Reflection => "reflection",
            Self::Other => "other",
        }
    }

    /// The name of spans, as the original has it; methods it does not have are no spans.
    #[must_use]
    pub const fn span(self) -> Option<&'static str> {
        match self {
            Self::Handshake => Some("HANDSHAKE"),
            Self::ListFlights => Some("LIST_FLIGHTS"),
            Self::GetFlightInfo => Some("GET_FLIGHT_INFO"),
            Self::PollFlightInfo => Some("POLL_FLIGHT_INFO"),
            Self::GetSchema => Some("GET_SCHEMA"),
            Self::DoGet => Some("DO_GET"),
            Self::DoPut => Some("DO_PUT"),
            Self::DoExchange => Some("DO_EXCHANGE"),
            Self::DoAction => Some("DO_ACTION"),
            Self::ListActions => Some("LIST_ACTIONS"),
            Self::Reflection | Self::Other => None,
        }
    }

    const fn is_flight(self) -> bool {
        self.span().is_some()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/arrow.flight.protocol.FlightService/DoGet", Rpc::DoGet)]
    #[case("/arrow.flight.protocol.FlightService/health", Rpc::Other)]
    #[case("/arrow.flight.protocol.FlightService/Nonsense", Rpc::Other)]
    #[case("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Rpc::Reflection)]
    #[case("/", Rpc::Other)]
    fn methods_are_found_by_their_path(#[case] path: &str, #[case] expected: Rpc) {
        assert_eq!(Rpc::of_path(path), expected);
    }

    #[test]
    fn a_method_is_its_place_among_all() {
        for (place, &rpc) in Rpc::ALL.iter().enumerate() {
            assert_eq!(rpc as usize, place);
        }
    }
}
