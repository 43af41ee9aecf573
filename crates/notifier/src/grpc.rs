//! The services of this crate, and who may call them.
use souk_auth::{MethodTable, Permission, Rule};

use crate::app::App;
use crate::app::newsletter::SENDER;
use crate::clients::accounts::Accounts;

mod letter;
mod newsletter;

pub use letter::Letters;
pub use newsletter::Newsletters;

/// The mailbox page is the gateway's own: it has no user.
const MAILBOX: Rule = Rule::PermissionOrService(Permission::NotificationsRead, &["gateway"]);

/// A newsletter goes to people.
const WRITE: Rule = Rule::Permission(SENDER);

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
    ("/souk.notifier.v1.NewsletterService/CreateNewsletter", WRITE),
    ("/souk.notifier.v1.NewsletterService/UpdateNewsletter", WRITE),
    ("/souk.notifier.v1.NewsletterService/DeleteNewsletter", WRITE),
    ("/souk.notifier.v1.NewsletterService/SendNewsletter", WRITE),
    (
        "/souk.notifier.v1.NewsletterService/GetNewsletter",
        Rule::Permission(Permission::NotificationsRead),
    ),
    (
        "/souk.notifier.v1.NewsletterService/ListNewsletters",
        Rule::Permission(Permission::NotificationsRead),
    ),
];

/// `folder`: letters go to a folder of this machine.
pub fn routes(app: &App, accounts: &Accounts, folder: bool) -> tonic::service::Routes {
    let letters = Letters::new(app.clone(), accounts.clone(), folder);
    tonic::service::Routes::new(letters.into_server())
        .add_service(Newsletters::new(app.clone()).into_server())
}
