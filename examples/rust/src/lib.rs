//! FlexConnect functions to start your own from. Their tables come from the `vega-datasets` package of PyPI.

mod airports;
mod daily_weather;
mod forecast;
mod tables;

use flexconnect_server::Server;

pub use airports::Airports;
pub use daily_weather::DailyWeather;
pub use forecast::Forecast;

/// The server of all functions.
#[must_use]
pub fn server() -> Server {
    Server::builder()
        .function(DailyWeather::default())
        .function(Airports::default())
        .function(Forecast::default())
        .build()
}
