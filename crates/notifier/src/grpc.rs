//! The services of this crate, and who may call them.
use souk_auth::{MethodTable, Permission, Rule};

use crate::app::App;

mod letter;

pub use letter::Letters;

/// The mailbox page is the gateway's own: it has no user.
const MAILBOX: Rule = Rule::PermissionOrService(Permission::NotificationsRead, &["gateway"]);

/// Who may call what.
pub const METHODS: MethodTable = &[
    (
        "/souk.notifier.v1.LetterService/ListNotifications",
        Rule::Permission(Permission::NotificationsRead),
    ),
    (
        "/souk.notifier.v1.LetterService/CountNotifications",
        Rule::Permission(Permission::NotificationsRead),
    ),
    ("/souk.notifier.v1.LetterService/GetLetter", MAILBOX),
    ("/souk.notifier.v1.LetterService/ListLetters", MAILBOX),
    ("/souk.notifier.v1.LetterService/GetMailboxState", MAILBOX),
    ("/souk.notifier.v1.LetterService/GetPreferences", Rule::AnyUser),
    ("/souk.notifier.v1.LetterService/SetPreferences", Rule::AnyUser),
];

/// `folder`: letters go to a folder of this machine.
pub fn routes(app: &App, folder: bool) -> tonic::service::Routes {
    tonic::service::Routes::new(Letters::new(app.clone(), folder).into_server())
}
