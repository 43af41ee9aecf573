//! One turn of the relay: read what is due, publish it in waves, move what was confirmed.
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Iterable, QueryFilter, Statement};

use super::seat::Seat;
use crate::outbox::{row, sent};
use crate::{Bus, BusError, Envelope, Outbox, crash};

/// Rows of one turn.
const ROWS: usize = 500;
/// A bus that has not answered a wave by then is taken for gone.
const ANSWER: Duration = Duration::from_secs(30);
/// First and longest wait of a row that was refused.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

/// How a turn ended.
pub(super) enum Turn {
    /// Another relay leads.
    Standby,
    /// Nothing more is due.
    Idle,
    /// There may be more.
    Full,
    /// Some rows were refused; the first of them is due again after this time.
    Failed(Duration),
    /// The bus cannot be reached.
    Away,
}

#[derive(Default)]
struct Answers {
    confirmed: Vec<i64>,
    /// By attempts so far and error.
    refused: BTreeMap<(i32, String), Vec<i64>>,
    away: bool,
}

pub(super) async fn run(seat: &mut Seat, bus: &dyn Bus, outbox: &Outbox) -> Result<Turn, DbErr> {
    let rows = due(seat, outbox).await?;
    if rows.is_empty() {
        return Ok(Turn::Idle);
    }
    let full = rows.len() == ROWS;
    crash::point("relay.sending");
    let answers = publish(bus, rows).await;
    crash::point("relay.published");
    let soonest = answers.refused.keys().map(|(attempts, _)| backoff(*attempts)).min();
    settle(seat, outbox, &answers).await?;
    let count = answers.confirmed.len() as u64;
    metrics::counter!("outbox_sent_total", "service" => outbox.service()).increment(count);
    if let Some(((_, error), seqs)) = answers.refused.iter().next() {
        let (service, rows) = (outbox.service(), seqs.len());
        tracing::warn!(service, rows, error = %error, "events refused, kept in the outbox");
    }
    Ok(match soonest {
        _ if answers.away => Turn::Away,
        Some(wait) if !full || answers.confirmed.is_empty() => Turn::Failed(wait),
        _ => Turn::Full,
    })
}

/// Unsent rows whose time has come, oldest first. A row that waits after a failure holds back the
/// later ones of its key.
async fn due(seat: &mut Seat, outbox: &Outbox) -> Result<Vec<row::Model>, DbErr> {
    let sql = r#"
        SELECT o.seq, o.event_id, o."type", o.subject, o.partition_key, o.epoch, o.version,
               o.headers, o.payload, o.created_at, o.attempts, o.next_at, o.last_error
        FROM outbox AS o
        WHERE o.next_at <= $1 AND NOT EXISTS (
            SELECT 1 FROM outbox AS f
            WHERE f.attempts > 0 AND f.partition_key = o.partition_key AND f.seq < o.seq
              AND f.next_at > $1)
        ORDER BY o.seq LIMIT $2"#;
    let values = [outbox.clock().now().into(), (ROWS as i64).into()];
    let backend = seat.read().get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let rows = row::Entity::find().from_raw_sql(statement).all(seat.read()).await?;
    seat.check()?;
    Ok(rows)
}

/// Waves with at most one row of a key: the next row of a key goes out only after the one before
/// was confirmed, so no failure can turn their order round.
async fn publish(bus: &dyn Bus, rows: Vec<row::Model>) -> Answers {
    let mut waves: Vec<Vec<row::Model>> = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let place = seen.entry(row.partition_key.clone()).or_default();
        match waves.get_mut(*place) {
            Some(wave) => wave.push(row),
            None => waves.push(vec![row]),
        }
        *place += 1;
    }
    let mut answers = Answers::default();
    let mut held: HashSet<String> = HashSet::new();
    for mut wave in waves {
        wave.retain(|row| !held.contains(&row.partition_key));
        if wave.is_empty() {
            break;
        }
        let places: Vec<_> = wave.iter().map(|row| (row.seq, row.attempts)).collect();
        let events: Vec<Envelope> = wave.into_iter().map(row::Model::envelope).collect();
        let Ok(results) = tokio::time::timeout(ANSWER, bus.publish(&events)).await else {
            answers.away = true;
            break;
        };
        // counting attempts of every row while nobody listens would be writing for nothing
        let all_answered = results.len() == events.len();
        if !all_answered || results.iter().all(|result| matches!(result, Err(BusError::Away(_)))) {
            answers.away = true;
            break;
        }
        for (((seq, attempts), event), result) in places.into_iter().zip(events).zip(results) {
            match result {
                Ok(()) => answers.confirmed.push(seq),
                Err(error) => {
                    held.insert(event.partition_key);
                    answers.refused.entry((attempts, error.to_string())).or_default().push(seq);
                }
            }
        }
    }
    answers
}

/// One short transaction: confirmed rows move, refused rows get a later time. A refused row is
/// never given up.
async fn settle(seat: &mut Seat, outbox: &Outbox, answers: &Answers) -> Result<(), DbErr> {
    if answers.confirmed.is_empty() && answers.refused.is_empty() {
        return Ok(());
    }
    let now = outbox.clock().now();
    let tx = seat.begin().await?;
    if !answers.confirmed.is_empty() {
        let seqs = || answers.confirmed.iter().copied();
        let kept = sent::Column::iter().filter(|column| !matches!(column, sent::Column::SentAt));
        let mut copy = Query::select();
        copy.columns(kept.clone()).expr(Expr::value(now)).from(row::Entity);
        copy.and_where(row::Column::Seq.is_in(seqs()));
        let mut insert = Query::insert();
        insert.into_table(sent::Entity).columns(kept.chain([sent::Column::SentAt]));
        insert.select_from(copy).map_err(|error| DbErr::Custom(error.to_string()))?;
        tx.execute(&insert).await?;
        row::Entity::delete_many().filter(row::Column::Seq.is_in(seqs())).exec(&tx).await?;
    }
    for ((attempts, error), seqs) in &answers.refused {
        row::Entity::update_many()
            .col_expr(row::Column::Attempts, Expr::col(row::Column::Attempts).add(1))
            .col_expr(row::Column::NextAt, Expr::value(now + backoff(*attempts)))
            .col_expr(row::Column::LastError, Expr::value(error.clone()))
            .filter(row::Column::Seq.is_in(seqs.iter().copied()))
            .exec(&tx)
            .await?;
    }
    tx.commit().await
}

/// 0.1 s, 0.2 s, 0.4 s … 60 s by the failures before.
fn backoff(attempts: i32) -> Duration {
    let doublings = Ord::min(attempts.unsigned_abs(), 16);
    Ord::min(BACKOFF.0 * 2_u32.pow(doublings), BACKOFF.1)
}

#[cfg(test)]
mod tests;
