//! Control messages as JSON. Fields may be added in any release: unknown ones are ignored, new ones have defaults.

use serde::{Deserialize, Serialize};

/// Not a control message.
#[derive(Debug, thiserror::Error)]
#[error("not a control message: {0}")]
pub struct ControlError(#[from] serde_json::Error);

/// From agent to server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromAgent {
    /// The first message.
    Hello(Hello),
    /// How the agent is.
    Health(AgentHealth),
}

/// From server to agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromServer {
    /// The answer to `hello`.
    Welcome(Welcome),
    /// The connection ends after this.
    Refusal(Refusal),
    /// Everything up to this sequence is durable.
    Acknowledged {
        /// The last durable sequence.
        sequence: u64,
    },
    /// The server cannot apply this frame: send again from here, first a keyframe.
    KeyframeNeeded {
        /// The first sequence to send again.
        sequence: u64,
    },
    /// Settings have changed.
    Settings(AgentSettings),
}

/// Who the agent is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::VERSION`].
    pub protocol: u32,
    /// Version of the agent.
    pub agent_version: String,
    /// The host's name, as the page shows it.
    pub hostname: String,
    /// Tells this installation from others; survives a renaming of the host.
    #[serde(default)]
    pub agent_id: String,
    /// Tells this boot from others.
    #[serde(default)]
    pub boot_id: String,
    /// Tells this numbering of frames from others: 32 hexadecimal digits.
    pub stream: String,
    /// The first sequence that the agent still has to send.
    pub first_sequence: u64,
    /// The agent's clock, milliseconds since the Unix epoch.
    #[serde(default)]
    pub time_ms: i64,
}

/// The server takes the agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version both will speak.
    pub protocol: u32,
    /// Version of the server.
    pub server_version: String,
    /// The last sequence of this stream that is durable here; 0 for none.
    pub last_sequence: u64,
    /// Whether the frame after `last_sequence` may be a delta. Otherwise the next one has to be a keyframe.
    pub resume: bool,
    /// The server's clock, milliseconds since the Unix epoch.
    #[serde(default)]
    pub time_ms: i64,
    /// What the agent should do.
    #[serde(default)]
    pub settings: AgentSettings,
    /// The newest version of frames that the server reads; the first one if it does not say.
    #[serde(default = "first_frame_version")]
    pub frame_version: u8,
    /// The newest version of packed frames that the server reads ([`crate::FrameReader`]); 0 if it does not say.
    #[serde(default)]
    pub packing: u8,
}

const fn first_frame_version() -> u8 {
    1
}

/// What a server may set. Absent values leave the agent's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentSettings {
    /// Time between two snapshots in milliseconds.
    pub interval_ms: Option<u64>,
    /// Optional fields to collect, such as `io`.
    pub fields: Option<Vec<String>>,
    /// More words whose values are masked in command lines.
    pub mask_words: Option<Vec<String>>,
}

/// The server does not take the agent. The connection is closed after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// For programs.
    pub reason: RefusalReason,
    /// For people: what is wrong and what to do.
    pub message: String,
    /// How long to wait before another try, in milliseconds; absent where trying again does not help.
    #[serde(default)]
    pub retry_after_ms: Option<u64>,
}

/// Why an agent is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The versions have no protocol in common.
    Version,
    /// The key may not write this host.
    Forbidden,
    /// A message that does not make sense.
    Invalid,
    /// Too many agents, or shutting down.
    Busy,
    /// Another machine that runs has the same agent id: this one is a clone, and needs an id of its own.
    Clone,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}

/// How the agent is: what it costs and what it could not do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentHealth {
    /// CPU time of the agent since it began, in microseconds.
    pub cpu_time_us: u64,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
    /// Frames that wait for an acknowledgement.
    pub waiting_frames: u64,
    /// Frames dropped because too many waited.
    pub dropped_frames: u64,
    /// Server's clock minus agent's, in milliseconds, as the agent saw it.
    pub clock_offset_ms: i64,
    /// Errors since the agent began, by what failed.
    pub errors: std::collections::BTreeMap<String, u64>,
}

macro_rules! json_message {
    ($message:ty) => {
        impl $message {
            /// The message as JSON.
            pub fn to_json(&self) -> String {
                // Every type above has string keys and finite numbers only, so this cannot fail.
                serde_json::to_string(self).unwrap_or_default()
            }

            /// From JSON.
            pub fn from_json(json: &str) -> Result<Self, ControlError> {
                Ok(serde_json::from_str(json)?)
            }
        }
    };
}

json_message!(FromAgent);
json_message!(FromServer);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back() {
        let message = FromServer::Acknowledged { sequence: 7 };
        assert_eq!(message.to_json(), r#"{"type":"acknowledged","sequence":7}"#);
        assert_eq!(FromServer::from_json(&message.to_json()).unwrap(), message);
    }

    #[test]
    fn a_newer_side_may_add_fields_and_reasons() {
        let json = r#"{"type":"refusal","reason":"moon_phase","message":"Not tonight.","colour":"blue"}"#;
        let FromServer::Refusal(refusal) = FromServer::from_json(json).unwrap() else { panic!("not a refusal") };
        assert_eq!((refusal.reason, refusal.retry_after_ms), (RefusalReason::Other, None));
    }
}
