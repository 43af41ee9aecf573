//! Failures that come of others being at the same rows at the same time.
use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// Codes of PostgreSQL (`40001` serialization failure, `40P01` deadlock) and of SQLite (busy, and
/// busy with an old snapshot).
const RACED: [&str; 4] = ["40001", "40P01", "5", "517"];

/// Whether the same transaction may well succeed when it is begun anew: it was the victim of a
/// deadlock, found a row changed or inserted under its hands, or waited too long.
pub fn raced(error: &DbErr) -> bool {
    if matches!(error, DbErr::RecordNotUpdated)
        || matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
    {
        return true;
    }
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) =
        error
    else {
        return false;
    };
    let code = cause.as_database_error().and_then(|e| e.code());
    code.is_some_and(|code| RACED.contains(&code.as_ref()))
}
