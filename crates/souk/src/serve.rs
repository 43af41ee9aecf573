//! `souk serve`: the services on one page, the first start, the banner.
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use souk_accounts::Accounts;
use souk_analytics::Analytics;
use souk_catalog::Catalog;
use souk_gateway::Gateway;
use souk_notifier::Notifier;
use souk_orders::Orders;
use souk_proto::accounts::v1::CreateFirstAdminRequest;
use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_proto::catalog::v1::LoadDemoShopRequest;
use souk_proto::catalog::v1::transfer_service_client::TransferServiceClient;
use souk_service::{Blueprint, House, Loaded, blueprint, signal};
use souk_telemetry::Telemetry;
use souk_values::Clock;

use crate::Place;

/// What `souk serve` may be told.
#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Where the shop answers [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Serve only these services, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "SERVICES")]
    only: Vec<String>,
    /// Start without the demo shop.
    #[arg(long)]
    empty: bool,
    /// E-mail address of the first admin [default: admin@souk.local].
    #[arg(long, env = "SOUK_ADMIN_EMAIL", hide_env_values = true, value_name = "EMAIL")]
    admin_email: Option<String>,
    /// Password of the first admin, from the environment only [default: random, printed once].
    #[arg(long, env = "SOUK_ADMIN_PASSWORD", hide = true, hide_env_values = true)]
    admin_password: Option<String>,
}

/// All services there are.
pub(crate) fn all() -> Vec<Blueprint> {
    vec![
        blueprint::<Accounts>(),
        blueprint::<Catalog>(),
        blueprint::<Analytics>(),
        blueprint::<Orders>(),
        blueprint::<Notifier>(),
        blueprint::<Gateway>(),
    ]
}

/// Those that keep something: what commands work with when no server runs.
pub(crate) fn keepers() -> Vec<Blueprint> {
    all().into_iter().filter(|blueprint| blueprint.keeps).collect()
}

fn chosen(only: &[String]) -> anyhow::Result<Vec<Blueprint>> {
    let all = all();
    for name in only {
        let names: Vec<&str> = all.iter().map(|b| b.name).collect();
        anyhow::ensure!(
            names.contains(&name.as_str()),
            "there is no service {name:?}; services: {}",
            names.join(", ")
        );
    }
    let wanted = |b: &Blueprint| only.is_empty() || only.iter().any(|name| name == b.name);
    Ok(all.into_iter().filter(wanted).collect())
}

pub(crate) async fn run(place: &Place, args: ServeArgs) -> anyhow::Result<ExitCode> {
    let flags =
        args.listen.map(|at| ("gateway.listen".to_owned(), format!("{:?}", at.to_string())));
    let loaded = place.sources(flags.into_iter().collect()).load()?;
    let services = chosen(&args.only)?;
    let telemetry = Telemetry::start(&loaded.settings.telemetry("souk"))?;
    // ready is who has an admin and goods
    let house = House::prepare(&loaded, &services, Clock::system()).await?;
    let password = first_start(&house, &args).await?;
    house.open();
    banner(&house, &loaded, password);
    let clean = house.run_until(signal()).await;
    tracing::info!("stopped");
    telemetry.shutdown().await;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// A store without accounts gets its first admin, one without products the demo shop. Answers the
/// admin's address and the password to be shown, once.
async fn first_start(house: &House, args: &ServeArgs) -> anyhow::Result<Option<(String, String)>> {
    if let (Some(catalog), false) = (house.transport("catalog"), args.empty) {
        let mut client = TransferServiceClient::new(catalog);
        client.load_demo_shop(LoadDemoShopRequest {}).await.context("cannot load the demo shop")?;
    }
    let Some(accounts) = house.transport("accounts") else { return Ok(None) };
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let email = filled(&args.admin_email).unwrap_or_else(|| "admin@souk.local".to_owned());
    let given = filled(&args.admin_password);
    let request = CreateFirstAdminRequest {
        email: email.clone(),
        username: "admin".to_owned(),
        // set but empty, as compose files do, is not given
        password: given.clone().unwrap_or_default(),
    };
    let made = AccountServiceClient::new(accounts)
        .create_first_admin(request)
        .await
        .map_err(souk_rpc::Failure::from)
        .with_context(|| "cannot create the first admin")?
        .into_inner();
    // a password that was given is known to whoever gave it
    let show = made.created && given.is_none();
    Ok(show.then_some((email, made.password)))
}

#[allow(clippy::print_stdout, reason = "the banner is for the person who started the shop")]
fn banner(house: &House, loaded: &Loaded, first_admin: Option<(String, String)>) {
    let Some(address) = house.address("gateway") else {
        println!("souk serves {}", house.services().join(", "));
        return;
    };
    let base = format!("http://{address}");
    println!("souk is open");
    println!("  shop       {base}/");
    println!("  API        {base}/api/docs");
    println!("  mailbox    {base}/dev/mailbox");
    if let Some(operator) = house.address("operator") {
        println!("  metrics    http://{operator}/metrics");
    }
    println!("  data       {}", loaded.settings.data_dir.display());
    if let Some((email, password)) = first_admin {
        println!("  admin      {email}, password {password} (shown only now)");
    }
}
