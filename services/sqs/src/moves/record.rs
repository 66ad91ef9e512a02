//! A move task as it is stored.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use serde::{Deserialize, Serialize};

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveRecord {
    /// Its id.
    pub id: String,
    /// The queue that it empties.
    pub source: String,
    /// Where messages go; to where they came from if it is not said.
    pub destination: Option<String>,
    /// At most so many a second.
    pub per_second: Option<i32>,
    /// How far it is.
    pub status: Status,
    /// How many were moved.
    pub moved: i64,
    /// How many there were at first.
    pub to_move: i64,
    /// Why it failed.
    pub failure: Option<String>,
    /// When it began.
    pub started: Timestamp,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It moves messages.
    Running,
    /// It was told to stop.
    Cancelling,
    /// It stopped before its end.
    Cancelled,
    /// Nothing was left.
    Completed,
    /// It could not go on.
    Failed,
}

impl Status {
    /// As it travels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }

    /// Whether messages may still be moved.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Cancelling)
    }
}

/// What a task's handle says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handle {
    /// The task's id.
    pub task_id: String,
    /// The queue that it empties.
    pub source_arn: String,
}

impl Handle {
    /// As text.
    pub fn write(&self) -> String {
        STANDARD.encode(serde_json::to_vec(self).expect("two strings can be written"))
    }

    /// Reads the text.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_back() {
        let handle = Handle { task_id: "t".into(), source_arn: "a".into() };
        assert_eq!(Handle::read(&handle.write()), Some(handle));
        assert_eq!(Handle::read("foobar"), None);
    }
}
