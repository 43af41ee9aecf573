//! The method table: for each gRPC method, who may call it.
use crate::{Caller, Permission};

/// Who may call one method. The operator may call every listed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Any of these services, with or without a user.
    Service(&'static [&'static str]),
    /// A user who holds the permission.
    Permission(Permission),
    /// Any user who is logged in.
    AnyUser,
    /// A user who holds the permission, or one of these services acting for itself.
    PermissionOrService(Permission, &'static [&'static str]),
    /// Any service of ours at all.
    AnyService,
}

/// Full method path (`/souk.catalog.v1.ProductService/GetProduct`) to rule. What is not listed is refused.
pub type MethodTable = &'static [(&'static str, Rule)];

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody known is calling.
    Unauthenticated,
    /// Somebody known who may not.
    Forbidden,
}

impl Rule {
    pub fn check(&self, caller: &Caller) -> Result<(), Refusal> {
        if caller.is_operator() {
            return Ok(());
        }
        let service_in = |names: &[&str]| caller.service.as_deref().is_some_and(|s| names.contains(&s));
        let by_permission = |p: Permission| match &caller.user {
            None => Err(Refusal::Unauthenticated),
            Some(_) if caller.may(p) => Ok(()),
            Some(_) => Err(Refusal::Forbidden),
        };
        match self {
            Self::Service(names) if service_in(names) => Ok(()),
            Self::AnyService if caller.service.is_some() => Ok(()),
            Self::Service(_) | Self::AnyService => {
                if caller.service.is_some() || caller.user.is_some() {
                    Err(Refusal::Forbidden)
                } else {
                    Err(Refusal::Unauthenticated)
                }
            }
            Self::AnyUser => caller.user.as_ref().map(|_| ()).ok_or(Refusal::Unauthenticated),
            Self::Permission(p) => by_permission(*p),
            Self::PermissionOrService(_, names) if caller.user.is_none() && service_in(names) => Ok(()),
            Self::PermissionOrService(p, _) => by_permission(*p),
        }
    }
}
