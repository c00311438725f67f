//! A FlexConnect server with two functions in Rust, to start your own from.
//!
//! `DailyWeather` applies the filters of a report; `Airports` streams its rows. Their tables come from the
//! `vega-datasets` package of PyPI.

mod airports;
mod daily_weather;
mod filters;
mod tables;

use std::process::ExitCode;

use flexconnect_server::{Server, cli};

fn main() -> ExitCode {
    cli::run(
        Server::builder()
            .function(daily_weather::DailyWeather::default())
            .function(airports::Airports::default())
            .build(),
    )
}
