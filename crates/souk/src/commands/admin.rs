//! `souk admin`.
use std::process::ExitCode;

use clap::Subcommand;
use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_proto::accounts::v1::{CreateUserRequest, UserFields};

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
}

pub(crate) async fn run(place: &Place, command: AdminCommand) -> anyhow::Result<ExitCode> {
    let AdminCommand::Create { email, username, name } = command;
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
        active: None,
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
