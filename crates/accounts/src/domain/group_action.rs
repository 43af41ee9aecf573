//! What can be done to many accounts at once, and what becomes of each.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use souk_values::UserId;

/// Accounts of one action.
pub(crate) const MOST: usize = 10_000;
/// Seconds that an action may be put off.
pub(crate) const LONGEST_DELAY_S: u32 = 86_400;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Activate,
    Deactivate,
    /// For seven days.
    Block,
    /// Hides them, as the deletion of one does.
    Delete,
    /// Removes those for good that are hidden or deactivated.
    DeleteInactive,
    SendTestMail,
}

impl Action {
    pub(crate) const ALL: [Self; 6] = [
        Self::Activate,
        Self::Deactivate,
        Self::Block,
        Self::Delete,
        Self::DeleteInactive,
        Self::SendTestMail,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Block => "block",
            Self::Delete => "delete",
            Self::DeleteInactive => "delete_inactive",
            Self::SendTestMail => "send_test_mail",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }

    /// The kind of the job that does it.
    pub(crate) fn job(self) -> &'static str {
        match self {
            Self::Activate => "activate_users",
            Self::Deactivate => "deactivate_users",
            Self::Block => "block_users",
            Self::Delete => "delete_users",
            Self::DeleteInactive => "delete_inactive_users",
            Self::SendTestMail => "send_test_mails",
        }
    }

    /// Whether it may take an admin away.
    pub(crate) fn shuts_out(self) -> bool {
        matches!(self, Self::Deactivate | Self::Block | Self::Delete)
    }
}

/// What became of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// It was so already, or it is none of those meant.
    Skipped,
    /// There is no such account.
    Unknown,
    /// A rule forbids it.
    Refused,
    Failed,
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// The accounts that are meant, each once, in the order given; or what is wrong with the ids.
pub(crate) fn users(action: Option<Action>, ids: &[String]) -> Result<Vec<UserId>, String> {
    if action == Some(Action::DeleteInactive) {
        let must = "must be empty: all inactive accounts are meant";
        return if ids.is_empty() { Ok(Vec::new()) } else { Err(must.to_owned()) };
    }
    if ids.is_empty() {
        return Err("is required".to_owned());
    }
    if ids.len() > MOST {
        return Err(format!("must have at most {MOST} ids"));
    }
    let mut seen = HashSet::new();
    let (mut users, mut wrong) = (Vec::new(), Vec::new());
    for (place, id) in (1..).zip(ids) {
        match id.parse::<UserId>() {
            Ok(id) if seen.insert(id) => users.push(id),
            Ok(_) => {}
            Err(_) => wrong.push(place),
        }
    }
    if wrong.is_empty() { Ok(users) } else { Err(nobody(&wrong)) }
}

/// Names the first of the places where no id stands.
fn nobody(places: &[u32]) -> String {
    const NAMED: usize = 10;
    let named: Vec<String> = places.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if places.len() > NAMED { " and others" } else { "" };
    format!("must hold ids of users, but not at {}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_reads_back_its_word_and_keeps_it_in_a_job() {
        for action in Action::ALL {
            assert_eq!(Action::parse(action.as_str()), Some(action));
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
        for wrong in ["", "Activate", "promote"] {
            assert_eq!(Action::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_account_is_meant_once_in_the_order_given() {
        let [ann, ben] = [UserId::new(), UserId::new()];
        let ids = [ben, ann, ben].map(|id| id.to_string());
        assert_eq!(users(Some(Action::Block), &ids), Ok(vec![ben, ann]));
        assert_eq!(users(None, &ids), Ok(vec![ben, ann]));
    }

    #[test]
    fn what_names_nobody_is_told_by_its_place() {
        let wrong = |action, ids: &[String]| users(Some(action), ids).unwrap_err();
        let some = UserId::new().to_string();
        let ids = [some.clone(), "x".to_owned(), some.to_lowercase(), some.clone()];
        let told = "must hold ids of users, but not at 2, 3";
        assert_eq!(wrong(Action::Block, &ids), told);
        let many = wrong(Action::Block, &vec![String::new(); 99]);
        assert!(many.ends_with("at 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and others"), "{many}");
        assert_eq!(wrong(Action::Block, &[]), "is required");
        let many = wrong(Action::Block, &vec![some.clone(); MOST + 1]);
        assert_eq!(many, "must have at most 10000 ids");
        assert_eq!(users(None, &vec![some.clone(); MOST]).map(|users| users.len()), Ok(1));
        assert!(wrong(Action::DeleteInactive, &[some]).starts_with("must be empty"));
        assert_eq!(users(Some(Action::DeleteInactive), &[]), Ok(Vec::new()));
    }
}
