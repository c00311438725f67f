//! What every controller needs: back-off, events, telemetry.
