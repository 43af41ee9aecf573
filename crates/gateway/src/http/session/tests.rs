//! Guards of handlers.
use souk_values::{SessionId, UserId};

use super::*;

fn request_of(permissions: &[Permission], confirmed: bool) -> Parts {
    let user = User {
        id: UserId::new(),
        session: SessionId::new(),
        role: "some".to_owned(),
        permissions: permissions.iter().copied().collect(),
        expires_at: 100,
        fresh_until: 100,
        enrol_only: false,
        by_key: false,
    };
    let (mut parts, ()) = Request::new(()).into_parts();
    let user = Arc::new(user);
    parts.extensions.insert(Session {
        user,
        token: "token".into(),
        by_key: false,
        confirmed,
        visit: None,
    });
    parts
}

async fn answer<T: FromRequestParts<(), Rejection = Problem>>(
    permissions: &[Permission],
    confirmed: bool,
) -> u16 {
    let mut parts = request_of(permissions, confirmed);
    T::from_request_parts(&mut parts, &()).await.map_or_else(|problem| problem.status(), |_| 200)
}

#[tokio::test]
async fn p34_power_needs_a_session_that_is_known_to_go_on_and_a_look_does_not() {
    let writes = [Permission::ProductsWrite];
    assert_eq!(answer::<ProductsWriter>(&writes, true).await, 200);
    assert_eq!(answer::<ProductsWriter>(&writes, false).await, 503);
    // who may not at all is told so in any case
    assert_eq!(answer::<ProductsWriter>(&[], false).await, 403);
    assert_eq!(answer::<Session>(&writes, false).await, 200);
    assert_eq!(answer::<Buyer>(&[], false).await, 200);
}
