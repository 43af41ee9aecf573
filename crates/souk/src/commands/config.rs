//! `souk config`.
use std::process::ExitCode;

use clap::Subcommand;

use super::say;
use crate::Place;

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the settings in force as JSON; secrets are hidden.
    Show,
}

pub(crate) fn run(place: &Place, command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Show => {
            let loaded = place.sources(Vec::new()).load()?;
            say(serde_json::to_string_pretty(&loaded.shown())?);
            Ok(ExitCode::SUCCESS)
        }
    }
}
