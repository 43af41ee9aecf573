//! A town of services that keep something of people: accounts as it is, and neighbors in the test's
//! hands.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures::Stream;
use souk_accounts::{App, Config, handlers, keeper};
use souk_audit::Audit;
use souk_jobs::Jobs;
use souk_proto::accounts::v1::data_request_service_client::DataRequestServiceClient;
use souk_proto::accounts::v1::{
    CancelErasureRequest, DataExport, DownloadExportRequest, Erasure, GetErasureRequest,
    GetExportRequest, StartErasureRequest, StartExportRequest,
};
use souk_proto::operations::v1::personal_data_service_server::{
    PersonalDataService, PersonalDataServiceServer,
};
use souk_proto::operations::v1::{
    ErasePersonRequest, ErasePersonResponse, ExportPersonRequest, FindHoldsRequest,
    FindHoldsResponse, Hold, PersonalRecord,
};
use souk_rpc::{CallContext, Failure, Guarded, Kind, Transport, scope};
use souk_service::personal::{KEEPERS, Keeper, Keepers, METHODS, door};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::house::{House, answer_as};

/// What a neighbor does, and what it was asked.
#[derive(Default)]
pub(super) struct Habits {
    pub(super) away: bool,
    pub(super) holds: Vec<String>,
    /// Also when it was asked to erase: somebody ordered after the question.
    pub(super) holds_late: Vec<String>,
    pub(super) records: Vec<(&'static str, String)>,
    /// Breaks off behind so many records.
    pub(super) breaks: Option<usize>,
    pub(super) erased: Vec<ErasePersonRequest>,
}

#[derive(Clone)]
pub(super) struct Neighbor {
    pub(super) habits: Arc<Mutex<Habits>>,
    /// Lets calls that take long end.
    pub(super) gate: Arc<Semaphore>,
    /// Tells that one has begun.
    pub(super) begun: Arc<Semaphore>,
}

impl Neighbor {
    fn new() -> Self {
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { habits: Arc::default(), gate, begun: Arc::new(Semaphore::new(0)) }
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut self.habits.lock().unwrap());
    }

    pub(super) fn erased(&self) -> Vec<ErasePersonRequest> {
        self.habits.lock().unwrap().erased.clone()
    }

    fn answer(&self) -> Result<(), Status> {
        if self.habits.lock().unwrap().away {
            return Err(Failure::new(Kind::Unavailable, "service_unavailable", "away").into());
        }
        Ok(())
    }

    async fn pass(&self) {
        self.begun.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        self.gate.add_permits(1);
    }
}

#[tonic::async_trait]
impl PersonalDataService for Neighbor {
    async fn find_holds(
        &self,
        _request: Request<FindHoldsRequest>,
    ) -> Result<Response<FindHoldsResponse>, Status> {
        self.answer()?;
        let subjects = self.habits.lock().unwrap().holds.clone();
        let hold = Hold { reason: "open_orders".to_owned(), subjects };
        let holds = if hold.subjects.is_empty() { Vec::new() } else { vec![hold] };
        Ok(Response::new(FindHoldsResponse { holds }))
    }

    type ExportPersonStream = Pin<Box<dyn Stream<Item = Result<PersonalRecord, Status>> + Send>>;

    async fn export_person(
        &self,
        _request: Request<ExportPersonRequest>,
    ) -> Result<Response<Self::ExportPersonStream>, Status> {
        self.answer()?;
        self.pass().await;
        let habits = self.habits.lock().unwrap();
        let record = |(section, json): (&str, String)| PersonalRecord {
            section: section.to_owned(),
            json,
            end: false,
        };
        let mut all: Vec<_> = habits.records.iter().cloned().map(record).map(Ok).collect();
        match habits.breaks {
            Some(behind) => all.truncate(behind),
            None => all.push(Ok(PersonalRecord { end: true, ..PersonalRecord::default() })),
        }
        Ok(Response::new(Box::pin(futures::stream::iter(all))))
    }

    async fn erase_person(
        &self,
        request: Request<ErasePersonRequest>,
    ) -> Result<Response<ErasePersonResponse>, Status> {
        self.answer()?;
        self.pass().await;
        let mut habits = self.habits.lock().unwrap();
        if !habits.holds_late.is_empty() {
            let failure =
                Failure::new(Kind::Conflict, "open_orders", "something stands against it");
            return Err(failure.with("subjects", habits.holds_late.join(" ")).into());
        }
        let records = if habits.erased.is_empty() { 3 } else { 0 };
        habits.erased.push(request.into_inner());
        Ok(Response::new(ErasePersonResponse { records, audit_entries: 0 }))
    }
}

pub(super) struct Town<'a> {
    pub(super) house: &'a House,
    pub(super) app: Arc<App>,
    pub(super) jobs: Jobs,
    pub(super) neighbors: BTreeMap<&'static str, Neighbor>,
    guarded: Guarded,
    _ways: Arc<OnceLock<Vec<Keeper>>>,
}

/// A process that does the jobs.
pub(super) struct Worker {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Worker {
    pub(super) async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(180), self.task).await.unwrap().unwrap();
    }

    /// Vanishes without a word.
    pub(super) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

impl<'a> Town<'a> {
    /// Without a second look, unless a test is about it.
    pub(super) fn of(house: &'a House) -> Self {
        Self::with(house, |config| config.personal_data.second_look_s = 0)
    }

    pub(super) fn with(house: &'a House, change: impl FnOnce(&mut Config)) -> Self {
        let ways = Arc::new(OnceLock::new());
        let (app, guarded) = house.asking(Keepers::of(&ways), change);
        let neighbors: BTreeMap<&'static str, Neighbor> =
            KEEPERS.iter().take(4).map(|name| (*name, Neighbor::new())).collect();
        let way = |name: &'static str| {
            let routes = match neighbors.get(name) {
                Some(neighbor) => Routes::new(PersonalDataServiceServer::new(neighbor.clone())),
                None => {
                    let audit = Audit::new("accounts", house.db.clone(), house.clock.clone());
                    Routes::new(door(name, house.db.clone(), audit, Some(keeper(&app))))
                }
            };
            Keeper { name, way: Ok(house.neighbor(name, METHODS, routes)) }
        };
        assert!(ways.set(KEEPERS.into_iter().map(way).collect()).is_ok());
        let jobs = Jobs::new(house.db.clone(), house.clock.clone());
        Self { house, app, jobs, neighbors, guarded, _ways: ways }
    }

    pub(super) fn work(&self) -> Worker {
        let stop = CancellationToken::new();
        let work = self.jobs.clone().run(handlers(&self.app), stop.clone());
        Worker { task: tokio::spawn(work), stop }
    }

    fn client(&self) -> DataRequestServiceClient<Transport> {
        DataRequestServiceClient::new(self.house.transport(&self.guarded, "gateway"))
    }

    pub(super) async fn export(&self, token: &str, of: &str) -> Result<DataExport, Failure> {
        let request = StartExportRequest { user_id: of.to_owned() };
        answer_as(token, self.client().start_export(request)).await
    }

    pub(super) async fn exported(&self, token: &str, of: &str) -> Result<DataExport, Failure> {
        let request = GetExportRequest { user_id: of.to_owned() };
        answer_as(token, self.client().get_export(request)).await
    }

    /// The whole file, and how many parts it came in.
    pub(super) async fn download(&self, token: &str) -> Result<(Vec<u8>, usize), Failure> {
        let context = CallContext { token: Some(token.into()), ..CallContext::default() };
        let read = async {
            let answer = self.client().download_export(DownloadExportRequest {}).await;
            let mut parts = answer.map_err(Failure::from)?.into_inner();
            let (mut file, mut count) = (Vec::new(), 0);
            while let Some(part) = parts.message().await.map_err(Failure::from)? {
                file.extend(part.content);
                count += 1;
            }
            Ok((file, count))
        };
        scope(context, read).await
    }

    pub(super) async fn erase(
        &self,
        token: &str,
        of: &str,
        password: &str,
    ) -> Result<Erasure, Failure> {
        let (user_id, current_password) = (of.to_owned(), password.to_owned());
        let request = StartErasureRequest { user_id, current_password };
        answer_as(token, self.client().start_erasure(request)).await
    }

    pub(super) async fn erasure(&self, token: &str, of: &str) -> Result<Erasure, Failure> {
        let request = GetErasureRequest { user_id: of.to_owned() };
        answer_as(token, self.client().get_erasure(request)).await
    }

    pub(super) async fn keep(&self, token: &str, of: &str) -> Result<Erasure, Failure> {
        let request = CancelErasureRequest { user_id: of.to_owned() };
        answer_as(token, self.client().cancel_erasure(request)).await
    }

    /// The job, once `is` holds of it.
    pub(super) async fn until(
        &self,
        id: &str,
        is: impl Fn(&souk_jobs::Job) -> bool,
    ) -> souk_jobs::Job {
        let id = id.parse().unwrap();
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        for _ in 0..36_000 {
            ticks.tick().await;
            self.jobs.wake();
            let job = self.jobs.get(id).await.unwrap().unwrap();
            if is(&job) {
                return job;
            }
        }
        panic!("{:?}", self.jobs.get(id).await);
    }

    pub(super) fn orders(&self) -> &Neighbor {
        &self.neighbors["orders"]
    }
}
