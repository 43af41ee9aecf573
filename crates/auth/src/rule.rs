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

/// Full method path (`/souk.catalog.v1.ProductService/GetProduct`) to rule. What is not listed is
/// refused.
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
        let service_in =
            |names: &[&str]| caller.service.as_deref().is_some_and(|s| names.contains(&s));
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
            Self::PermissionOrService(_, names) if caller.user.is_none() && service_in(names) => {
                Ok(())
            }
            Self::PermissionOrService(p, _) => by_permission(*p),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use souk_values::{SessionId, UserId};

    use super::*;
    use crate::User;

    fn caller(service: Option<&str>, permissions: Option<&[Permission]>) -> Caller {
        let user = permissions.map(|permissions| {
            Arc::new(User {
                id: UserId::new(),
                session: SessionId::new(),
                role: "some".into(),
                permissions: permissions.iter().copied().collect(),
                expires_at: 0,
            })
        });
        Caller { service: service.map(Into::into), user }
    }

    /// Rows: nobody, gateway, notifier, gateway for a customer, gateway for a writer, notifier for
    /// a customer, operator.
    fn answers(rule: Rule) -> String {
        let none: &[Permission] = &[];
        let writer: &[Permission] = &[Permission::ProductsWrite];
        let callers = [
            caller(None, None),
            caller(Some("gateway"), None),
            caller(Some("notifier"), None),
            caller(Some("gateway"), Some(none)),
            caller(Some("gateway"), Some(writer)),
            caller(Some("notifier"), Some(none)),
            caller(Some("operator"), None),
        ];
        let letter = |c: &Caller| match rule.check(c) {
            Ok(()) => 'y',
            Err(Refusal::Unauthenticated) => 'u',
            Err(Refusal::Forbidden) => 'f',
        };
        callers.iter().map(letter).collect()
    }

    #[test]
    fn each_rule_admits_exactly_those_it_names() {
        use Permission::ProductsWrite;
        for (rule, expected) in [
            (Rule::Service(&["gateway"]), "uyfyyfy"),
            (Rule::Service(&[]), "ufffffy"),
            (Rule::AnyService, "uyyyyyy"),
            (Rule::AnyUser, "uuuyyyy"),
            (Rule::Permission(ProductsWrite), "uuufyfy"),
            (Rule::PermissionOrService(ProductsWrite, &["notifier"]), "uuyfyfy"),
        ] {
            assert_eq!(answers(rule), expected, "{rule:?}");
        }
    }

    #[test]
    fn the_operator_on_behalf_of_a_user_is_no_more_than_the_user() {
        let caller = caller(Some("operator"), Some(&[]));
        assert_eq!(Rule::Permission(Permission::UsersRead).check(&caller), Err(Refusal::Forbidden));
        assert!(!caller.may(Permission::UsersRead));
    }

    #[test]
    fn an_actor_is_the_user_before_the_service() {
        let by_user = caller(Some("gateway"), Some(&[]));
        assert!(by_user.actor().starts_with("usr_"));
        assert_eq!(Caller::service("notifier").actor(), "notifier");
        assert_eq!(Caller::default().actor(), "anonymous");
    }
}
