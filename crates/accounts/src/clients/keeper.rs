//! `PersonalDataService` of one service.

use std::time::Duration;

use souk_proto::operations::v1::personal_data_service_client::PersonalDataServiceClient;
use souk_proto::operations::v1::{
    ErasePersonRequest, ErasePersonResponse, ExportPersonRequest, FindHoldsRequest, PersonalRecord,
};
use souk_rpc::{Failure, Kind, Transport};
use souk_service::personal::{Keeper, Person};
use tonic::{Request, Streaming};

/// Erasing reads whole tables; nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(300);
/// Bytes of one record: an order of two thousand lines.
const MOST: usize = 16 * 1024 * 1024;

/// What stands against erasing a person: `open_orders S-7F3K-9Q2M`.
pub(crate) async fn holds(keeper: &Keeper, person: &Person) -> Result<Vec<String>, Failure> {
    let request = request(FindHoldsRequest { user_id: person.id.to_string() });
    let answer = client(keeper)?.find_holds(request).await.map_err(Failure::from)?;
    let words = |reason: String, subjects: Vec<String>| [vec![reason], subjects].concat().join(" ");
    let holds = answer.into_inner().holds.into_iter();
    Ok(holds.map(|hold| words(hold.reason, hold.subjects)).collect())
}

/// Records of one service, as they come.
pub(crate) struct Export {
    records: Streaming<PersonalRecord>,
}

impl Export {
    pub(crate) async fn begin(keeper: &Keeper, person: &Person) -> Result<Self, Failure> {
        let (user_id, emails) = (person.id.to_string(), person.emails.clone());
        let request = request(ExportPersonRequest { user_id, emails });
        let answer = client(keeper)?.export_person(request).await.map_err(Failure::from)?;
        Ok(Self { records: answer.into_inner() })
    }

    /// Section and record; none: that was all.
    pub(crate) async fn next(&mut self) -> Result<Option<(String, String)>, Failure> {
        match self.records.message().await.map_err(Failure::from)? {
            Some(record) if record.end => Ok(None),
            Some(record) => Ok(Some((record.section, record.json))),
            None => {
                let sentence = "the records broke off";
                Err(Failure::new(Kind::Unavailable, "answer_lost", sentence))
            }
        }
    }
}

pub(crate) async fn erase(
    keeper: &Keeper,
    person: &Person,
) -> Result<ErasePersonResponse, Failure> {
    let (user_id, emails) = (person.id.to_string(), person.emails.clone());
    let request = request(ErasePersonRequest { user_id, emails });
    let answer = client(keeper)?.erase_person(request).await.map_err(Failure::from)?;
    Ok(answer.into_inner())
}

fn client(keeper: &Keeper) -> Result<PersonalDataServiceClient<Transport>, Failure> {
    let way = keeper.way.clone();
    let way = way.map_err(|why| Failure::new(Kind::Unavailable, "service_unknown", why))?;
    Ok(PersonalDataServiceClient::new(way).max_decoding_message_size(MOST))
}

fn request<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(PATIENCE);
    request
}
