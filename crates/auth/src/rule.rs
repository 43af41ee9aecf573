//! The method table: for each gRPC method, who may call it.
use crate::{Caller, Permission};

/// Who may call one method. The operator may call every listed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Any of these services, with or without a user.
    Service(&'static [&'static str]),
    /// A user who holds the permission.
    Permission(Permission),
    /// The same, and a second factor given a moment ago: for what moves money or power.
    Fresh(Permission),
    /// Any user who is logged in.
    AnyUser,
    /// Any user with a second factor given a moment ago.
    AnyUserFresh,
    /// Also one who must enrol a second factor before anything else.
    Enrolling,
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
    /// Somebody who may, after giving their second factor again.
    Stale,
    /// Somebody who must enrol a second factor first.
    NotEnrolled,
}

impl Rule {
    /// `now` in seconds since the epoch.
    pub fn check(&self, caller: &Caller, now: i64) -> Result<(), Refusal> {
        if caller.is_operator() {
            return Ok(());
        }
        if *self != Self::Enrolling && caller.user.as_ref().is_some_and(|u| u.enrol_only) {
            return Err(Refusal::NotEnrolled);
        }
        let fresh = |()| if caller.is_fresh(now) { Ok(()) } else { Err(Refusal::Stale) };
        let any_user = || caller.user.as_ref().map(|_| ()).ok_or(Refusal::Unauthenticated);
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
            Self::AnyUser | Self::Enrolling => any_user(),
            Self::AnyUserFresh => any_user().and_then(fresh),
            Self::Permission(p) => by_permission(*p),
            Self::Fresh(p) => by_permission(*p).and_then(fresh),
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
                fresh_until: 100,
                enrol_only: false,
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
        let letter = |c: &Caller| match rule.check(c, 99) {
            Ok(()) => 'y',
            Err(Refusal::Unauthenticated) => 'u',
            Err(Refusal::Forbidden) => 'f',
            Err(Refusal::Stale | Refusal::NotEnrolled) => 's',
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
            (Rule::Fresh(ProductsWrite), "uuufyfy"),
            (Rule::AnyUserFresh, "uuuyyyy"),
            (Rule::Enrolling, "uuuyyyy"),
            (Rule::PermissionOrService(ProductsWrite, &["notifier"]), "uuyfyfy"),
        ] {
            assert_eq!(answers(rule), expected, "{rule:?}");
        }
    }

    #[test]
    fn the_operator_on_behalf_of_a_user_is_no_more_than_the_user() {
        let caller = caller(Some("operator"), Some(&[]));
        let rule = Rule::Permission(Permission::UsersRead);
        assert_eq!(rule.check(&caller, 0), Err(Refusal::Forbidden));
        assert!(!caller.may(Permission::UsersRead));
    }

    #[test]
    fn a_second_factor_is_fresh_until_its_second_and_not_in_it() {
        let writer = caller(Some("gateway"), Some(&[Permission::OrdersWrite]));
        let rule = Rule::Fresh(Permission::OrdersWrite);
        assert_eq!(rule.check(&writer, 99), Ok(()));
        assert_eq!(rule.check(&writer, 100), Err(Refusal::Stale));
        assert_eq!(Rule::AnyUserFresh.check(&writer, 100), Err(Refusal::Stale));
        // who may not at all is not asked for a code
        let other = Rule::Fresh(Permission::UsersWrite);
        assert_eq!(other.check(&writer, 100), Err(Refusal::Forbidden));
        assert_eq!(rule.check(&caller(Some("operator"), None), 100), Ok(()));
    }

    #[test]
    fn who_must_enrol_may_do_nothing_else() {
        let mut some = caller(Some("gateway"), Some(&[Permission::OrdersWrite]));
        if let Some(user) = &mut some.user {
            Arc::make_mut(user).enrol_only = true;
        }
        for rule in [
            Rule::AnyUser,
            Rule::AnyUserFresh,
            Rule::Permission(Permission::OrdersWrite),
            Rule::Service(&["gateway"]),
            Rule::AnyService,
        ] {
            assert_eq!(rule.check(&some, 0), Err(Refusal::NotEnrolled), "{rule:?}");
        }
        assert_eq!(Rule::Enrolling.check(&some, 0), Ok(()));
    }

    #[test]
    fn an_actor_is_the_user_before_the_service() {
        let by_user = caller(Some("gateway"), Some(&[]));
        assert!(by_user.actor().starts_with("usr_"));
        assert_eq!(Caller::service("notifier").actor(), "notifier");
        assert_eq!(Caller::default().actor(), "anonymous");
    }
}
