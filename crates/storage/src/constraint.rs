//! A broken constraint as an error in the words of the domain.
use sea_orm::{DbErr, SqlErr};

/// Turns the violation of one unique constraint into an error of the caller's choice.
pub trait OnConstraint<T> {
    /// `needle` is part of the constraint's name on PostgreSQL **and** of `table.column` on SQLite:
    /// name unique indexes so that both contain it, or pass both separated by `|`.
    fn on_constraint<E: From<DbErr>>(self, needle: &str, error: E) -> Result<T, E>;
}

impl<T> OnConstraint<T> for Result<T, DbErr> {
    fn on_constraint<E: From<DbErr>>(self, needle: &str, error: E) -> Result<T, E> {
        self.map_err(|e| if violated_constraint(&e, needle) { error } else { E::from(e) })
    }
}

/// Whether `error` is the violation of a unique constraint that `needle` names.
pub fn violated_constraint(error: &DbErr, needle: &str) -> bool {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(message)) => {
            needle.split('|').any(|n| message.contains(n))
        }
        _ => false,
    }
}
