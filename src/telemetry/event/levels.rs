//! What of an event depends on the case: its level, and whether it is a step in the server's life.

use slog::Level;

use super::table::Event;
use crate::protocol::EndReason;

impl Event<'_> {
    /// The level of its log line.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::DependencyLog { level, .. } => *level,
            Self::ConnectionClosed { reason: EndReason::Internal, .. } => Level::Error,
            Self::DrainFinished { stragglers: 1.., .. } => Level::Warning,
            Self::HealthChanged { to: "healthy", .. }
            | Self::LivenessChanged { to: "alive", .. }
            | Self::MemoryPressure { step: "none", .. } => Level::Info,
            _ => self.usual_level(),
        }
    }

    /// Whether it marks a step in the server's life. Such events come from threads without a tick.
    pub(in crate::telemetry) fn is_milestone(&self) -> bool {
        matches!(
            self,
            Self::ServerStarted { .. }
                | Self::ServerReady { .. }
                | Self::DrainStarted { .. }
                | Self::DrainWithdrawn { .. }
                | Self::DrainFinished { .. }
                | Self::ServerStopped { .. }
        )
    }
}
