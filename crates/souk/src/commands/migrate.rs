//! `souk migrate`.
use std::process::ExitCode;

use souk_service::House;

use super::say;
use crate::Place;
use crate::serve::keepers;

pub(crate) async fn run(place: &Place) -> anyhow::Result<ExitCode> {
    let loaded = place.sources(Vec::new()).load()?;
    let services = keepers();
    House::migrate(&loaded, &services).await?;
    let names: Vec<&str> = services.iter().map(|b| b.name).collect();
    say(format!("up to date: {}", names.join(", ")));
    Ok(ExitCode::SUCCESS)
}
