//! The Flight protocol: pure parsers of commands and tickets, FlightInfo, and one short method per RPC.
