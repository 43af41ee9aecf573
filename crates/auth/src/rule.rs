//! The method table: for each gRPC method, who may call it.
use crate::{Caller, Permission, User};

/// Who may call one method. The operator may call every listed one. Users come through the gateway:
/// another service that brings one is refused, unless the rule names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Any of these services, with or without a user.
    Service(&'static [&'static str]),
    /// Anybody for whom one of these services calls, logged in or not; no program.
    AnyoneBy(&'static [&'static str]),
    /// A user who holds the permission.
    Permission(Permission),
    /// The same, and a second factor given a moment ago: for what moves money or power.
    Fresh(Permission),
    /// A user who holds one of these: the handler asks which.
    OneOf(&'static [Permission]),
    /// Any user who is logged in themselves: what is their own is no program's.
    AnyUser,
    /// The same, also brought by one of these services.
    AnyUserBy(&'static [&'static str]),
    /// Any user, also by an API key: the handler asks what they may.
    AnyUserOrKey,
    /// Any user who is logged in themselves, with a second factor given a moment ago.
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
    /// A program, by the key of somebody who may.
    NotByKey,
}

/// Who meets people.
const GATEWAY: &str = "gateway";

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
        let service_in =
            |names: &[&str]| caller.service.as_deref().is_some_and(|s| names.contains(&s));
        let in_person = |by: &[&str]| match brought(caller, by)? {
            user if user.by_key => Err(Refusal::NotByKey),
            _ => Ok(()),
        };
        let by_permission = |p: &Permission| match brought(caller, &[])? {
            user if user.permissions.contains(p) => Ok(()),
            _ => Err(Refusal::Forbidden),
        };
        match self {
            Self::OneOf(permissions) => match brought(caller, &[])? {
                user if permissions.iter().any(|p| user.permissions.contains(p)) => Ok(()),
                _ => Err(Refusal::Forbidden),
            },
            Self::Service(names) if service_in(names) => Ok(()),
            Self::AnyoneBy(names) if service_in(names) => match &caller.user {
                Some(user) if user.by_key => Err(Refusal::NotByKey),
                Some(_) | None => Ok(()),
            },
            Self::AnyService if caller.service.is_some() => Ok(()),
            Self::Service(_) | Self::AnyoneBy(_) | Self::AnyService => {
                if caller.service.is_some() || caller.user.is_some() {
                    Err(Refusal::Forbidden)
                } else {
                    Err(Refusal::Unauthenticated)
                }
            }
            Self::AnyUser | Self::Enrolling => in_person(&[]),
            Self::AnyUserBy(names) => in_person(names),
            Self::AnyUserOrKey => brought(caller, &[]).map(|_| ()),
            Self::AnyUserFresh => in_person(&[]).and_then(fresh),
            Self::Permission(p) => by_permission(p),
            Self::Fresh(p) => by_permission(p).and_then(fresh),
            Self::PermissionOrService(_, names) if caller.user.is_none() && service_in(names) => {
                Ok(())
            }
            Self::PermissionOrService(p, _) => by_permission(p),
        }
    }
}

/// The user, if a service brings them that may: the gateway, or one of these.
fn brought<'a>(caller: &'a Caller, by: &[&str]) -> Result<&'a User, Refusal> {
    let service = caller.service.as_deref().ok_or(Refusal::Unauthenticated)?;
    if ![GATEWAY, "operator"].contains(&service) && !by.contains(&service) {
        return Err(Refusal::Forbidden);
    }
    caller.user.as_deref().ok_or(Refusal::Unauthenticated)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use souk_values::{SessionId, UserId};

    use super::*;

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
                by_key: false,
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
            Err(Refusal::Stale | Refusal::NotEnrolled | Refusal::NotByKey) => 's',
        };
        callers.iter().map(letter).collect()
    }

    #[test]
    fn each_rule_admits_exactly_those_it_names() {
        use Permission::ProductsWrite;
        for (rule, expected) in [
            (Rule::Service(&["gateway"]), "uyfyyfy"),
            (Rule::Service(&[]), "ufffffy"),
            (Rule::AnyoneBy(&["gateway"]), "uyfyyfy"),
            (Rule::AnyService, "uyyyyyy"),
            (Rule::AnyUser, "uufyyfy"),
            (Rule::Permission(ProductsWrite), "uuffyfy"),
            (Rule::OneOf(&[Permission::UsersWrite, ProductsWrite]), "uuffyfy"),
            (Rule::OneOf(&[Permission::UsersWrite]), "uuffffy"),
            (Rule::Fresh(ProductsWrite), "uuffyfy"),
            (Rule::AnyUserBy(&["notifier"]), "uuuyyyy"),
            (Rule::AnyUserOrKey, "uufyyfy"),
            (Rule::AnyUserFresh, "uufyyfy"),
            (Rule::Enrolling, "uufyyfy"),
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
            Rule::AnyoneBy(&["gateway"]),
            Rule::AnyService,
        ] {
            assert_eq!(rule.check(&some, 0), Err(Refusal::NotEnrolled), "{rule:?}");
        }
        assert_eq!(Rule::Enrolling.check(&some, 0), Ok(()));
    }

    #[test]
    fn s43_a_user_whom_another_service_brings_is_refused_whatever_they_may() {
        let all = Some(Permission::ALL.as_slice());
        for service in ["analytics", "notifier", "catalog", "accounts", "orders"] {
            let caller = caller(Some(service), all);
            for rule in [
                Rule::Permission(Permission::ProductsWrite),
                Rule::Fresh(Permission::OrdersWrite),
                Rule::OneOf(&[Permission::OrdersWrite]),
                Rule::PermissionOrService(Permission::NotificationsRead, &["analytics"]),
                Rule::AnyUser,
                Rule::AnyUserBy(&["shipping"]),
                Rule::AnyoneBy(&["gateway"]),
                Rule::AnyUserOrKey,
                Rule::AnyUserFresh,
                Rule::Enrolling,
            ] {
                assert_eq!(rule.check(&caller, 0), Err(Refusal::Forbidden), "{service} {rule:?}");
            }
        }
        // who says no service's name brings nobody
        assert_eq!(Rule::AnyUser.check(&caller(None, all), 0), Err(Refusal::Unauthenticated));
    }

    #[test]
    fn a_program_does_what_its_key_is_for_and_nothing_that_is_its_owners_own() {
        let mut program = caller(Some("gateway"), Some(&[Permission::OrdersWrite]));
        if let Some(user) = &mut program.user {
            Arc::make_mut(user).by_key = true;
        }
        for rule in [
            Rule::AnyUser,
            Rule::AnyUserBy(&["orders"]),
            Rule::AnyoneBy(&["gateway"]),
            Rule::AnyUserFresh,
            Rule::Enrolling,
        ] {
            assert_eq!(rule.check(&program, 0), Err(Refusal::NotByKey), "{rule:?}");
        }
        for rule in [
            Rule::AnyUserOrKey,
            Rule::Permission(Permission::OrdersWrite),
            Rule::Fresh(Permission::OrdersWrite),
            Rule::Service(&["gateway"]),
        ] {
            assert_eq!(rule.check(&program, 0), Ok(()), "{rule:?}");
        }
        let other = Rule::Permission(Permission::UsersWrite);
        assert_eq!(other.check(&program, 0), Err(Refusal::Forbidden));
    }

    #[test]
    fn an_actor_is_the_user_before_the_service() {
        let by_user = caller(Some("gateway"), Some(&[]));
        assert!(by_user.actor().starts_with("usr_"));
        assert_eq!(Caller::service("notifier").actor(), "notifier");
        assert_eq!(Caller::default().actor(), "anonymous");
    }
}
