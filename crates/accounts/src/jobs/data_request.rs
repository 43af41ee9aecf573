//! The jobs behind a person's file and a person's end: service by service, over and over until each
//! has answered.

mod erasure;
mod export;

use souk_jobs::{Job, JobError};
use souk_rpc::Failure;
use souk_service::personal::Keeper;
use souk_values::UserId;

pub(crate) use erasure::ErasePerson;
pub(crate) use export::ExportPerson;

use crate::Error;
use crate::app::data_request::Params;

fn user(job: &Job) -> Result<UserId, JobError> {
    let params: Result<Params, _> = serde_json::from_value(job.params.clone());
    Ok(params.map_err(|error| JobError::Fatal(error.to_string()))?.user)
}

fn retry(error: Error) -> JobError {
    JobError::Retry(error.into())
}

/// A service that did not do it, by name: its own words, without data.
fn failed(keeper: &Keeper, failure: &Failure) -> JobError {
    JobError::Retry(anyhow::anyhow!("{}: {} ({})", keeper.name, failure.reason, failure.message))
}

/// The process has begun, but not all of it is there.
fn not_yet() -> JobError {
    JobError::Retry(anyhow::anyhow!("the services are not known yet"))
}
