//! `souk admin`.
use std::process::ExitCode;

use clap::Subcommand;
use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_proto::accounts::v1::second_factor_service_client::SecondFactorServiceClient;
use souk_proto::accounts::v1::{
    CreateUserRequest, ListUsersRequest, ResetSecondFactorRequest, User, UserFields,
};
use souk_proto::types::v1::PageRequest;
use souk_values::fold;

use super::{refused, say};
use crate::Place;
use crate::connect::Connection;

#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// Create an admin. The password is read from the first line of standard input.
    Create {
        #[arg(long)]
        email: String,
        #[arg(long)]
        username: String,
        /// Full name.
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Take the second factor away from somebody who lost it. Their sessions end; they are told by
    /// mail, and enrol another at their next login where they must have one.
    ResetSecondFactor {
        /// E-mail address or username.
        #[arg(long)]
        user: String,
    },
}

pub(crate) async fn run(place: &Place, command: AdminCommand) -> anyhow::Result<ExitCode> {
    match command {
        AdminCommand::Create { email, username, name } => {
            create(place, email, username, name).await
        }
        AdminCommand::ResetSecondFactor { user } => {
            let connection = Connection::open(place).await?;
            let done = reset_second_factor(&connection, &user).await;
            connection.close().await;
            say(done?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn create(
    place: &Place,
    email: String,
    username: String,
    name: String,
) -> anyhow::Result<ExitCode> {
    let mut password = String::new();
    std::io::stdin().read_line(&mut password)?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    anyhow::ensure!(!password.is_empty(), "the password is read from standard input; it was empty");
    let connection = Connection::open(place).await?;
    let fields = UserFields {
        username: Some(username),
        email: Some(email),
        full_name: Some(name),
        password: Some(password),
        role: Some("admin".to_owned()),
        ..UserFields::default()
    };
    let request = CreateUserRequest { fields: Some(fields), ..Default::default() };
    let made = AccountServiceClient::new(connection.transport("accounts")?)
        .create_user(request)
        .await
        .map_err(refused);
    connection.close().await;
    let made = made?.into_inner();
    say(format!("{} is an admin ({})", made.username, made.id));
    Ok(ExitCode::SUCCESS)
}

/// Answers the sentence for whoever typed the command.
async fn reset_second_factor(connection: &Connection, login: &str) -> anyhow::Result<String> {
    let user = find(connection, login).await?;
    let request = ResetSecondFactorRequest { user_id: user.id.clone() };
    SecondFactorServiceClient::new(connection.transport("accounts")?)
        .reset_second_factor(request)
        .await
        .map_err(refused)?;
    Ok(format!("{} has no second factor any more ({})", user.username, user.id))
}

/// Who has exactly this name or address; no two people do.
async fn find(connection: &Connection, login: &str) -> anyhow::Result<User> {
    let wanted = fold(login.trim());
    let mut accounts = AccountServiceClient::new(connection.transport("accounts")?);
    let mut cursor = String::new();
    loop {
        let page = Some(PageRequest { limit: 100, cursor });
        let request =
            ListUsersRequest { page, text: login.trim().to_owned(), ..Default::default() };
        let found = accounts.list_users(request).await.map_err(refused)?.into_inner();
        let is_it = |user: &User| fold(&user.username) == wanted || fold(&user.email) == wanted;
        if let Some(user) = found.items.into_iter().find(is_it) {
            return Ok(user);
        }
        anyhow::ensure!(!found.next_cursor.is_empty(), "there is no active user {login}");
        cursor = found.next_cursor;
    }
}
