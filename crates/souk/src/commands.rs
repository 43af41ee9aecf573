//! The operator's commands.
pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod certs;
pub(crate) mod config;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod migrate;
pub(crate) mod verify;

/// A service's refusal as a sentence for a person, fields included.
pub(crate) fn refused(status: tonic::Status) -> anyhow::Error {
    let failure = souk_rpc::Failure::from(status);
    let fields: Vec<String> =
        failure.violations.iter().map(|v| format!("{} {}", v.field, v.message)).collect();
    if fields.is_empty() {
        anyhow::anyhow!("{}", failure.message)
    } else {
        anyhow::anyhow!("{}", fields.join("; "))
    }
}

/// A line for whoever typed the command.
#[allow(clippy::print_stdout, reason = "the answer to whoever typed the command")]
pub(crate) fn say(line: impl std::fmt::Display) {
    println!("{line}");
}
