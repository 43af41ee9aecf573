//! A job as callers and readers see it.
use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use sea_orm::{DeriveActiveEnum, EnumIter};
use souk_values::JobId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Status {
    #[sea_orm(string_value = "waiting")]
    Waiting,
    #[sea_orm(string_value = "running")]
    Running,
    #[sea_orm(string_value = "succeeded")]
    Succeeded,
    #[sea_orm(string_value = "failed")]
    Failed,
    #[sea_orm(string_value = "cancelled")]
    Cancelled,
}

impl Status {
    /// The word of the contracts: `waiting`, `running`, `succeeded`, `failed`, `cancelled`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Nothing will happen to the job any more.
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    pub kind: String,
    pub status: Status,
    pub params: serde_json::Value,
    pub done: u64,
    /// 0: not known yet.
    pub total: u64,
    pub message: String,
    pub counts: BTreeMap<String, u64>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    /// Not begun, or not tried again, before.
    pub run_at: DateTime<Utc>,
    /// When it was begun for the first time.
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// How often it was begun, also after crashes and restarts.
    pub attempts: u32,
}

/// What cancelling did.
#[derive(Clone, Debug)]
pub struct Cancelled {
    /// As it is then, or was.
    pub job: Job,
    /// It had ended, and left the history.
    pub removed: bool,
}

/// The result of one item of a job: a line of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemResult {
    pub position: u64,
    pub key: String,
    pub outcome: String,
    pub detail: String,
}

pub struct NewJob {
    pub kind: &'static str,
    pub params: serde_json::Value,
    pub created_by: String,
    /// Not before; `None`: at once.
    pub run_at: Option<DateTime<Utc>>,
}

/// How far a job has got. Each save replaces all of it, except for the results, which add up.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
    pub message: String,
    pub counts: BTreeMap<String, u64>,
    /// Where to continue after a crash.
    pub checkpoint: serde_json::Value,
    /// New results since the last save. A position saved before is replaced.
    pub results: Vec<ItemResult>,
}
