//! What the shop's staff decided, kept in memory for as long as nothing of it changes.
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{ConnectionTrait, DbErr};

use crate::domain::shipping::Method;
use crate::domain::tax::{Rates, Settings};
use crate::store;

/// All that prices depend on besides goods and coupon.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) methods: Vec<Method>,
    pub(crate) rates: Rates,
    pub(crate) settings: Settings,
}

/// The rules as last read, with their version. Each quote asks for the version, so what another
/// process changed counts at once. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownRules(Arc<Mutex<Option<Known>>>);

/// Rules with their version.
type Known = (i64, Arc<Rules>);

impl KnownRules {
    pub(crate) async fn newest(&self, db: &impl ConnectionTrait) -> Result<Arc<Rules>, DbErr> {
        // the version first: what changes while the rest is read is read again next time
        let (settings, version) = store::tax::settings_and_version(db).await?;
        if let Some((known, rules)) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner)
            && *known == version
        {
            return Ok(rules.clone());
        }
        let methods = store::shipping::list(db).await?;
        let rates = Rates::new(store::tax::list(db).await?);
        let rules = Arc::new(Rules { methods, rates, settings });
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|(known, _)| *known < version) {
            *kept = Some((version, rules.clone()));
        }
        Ok(rules)
    }
}
