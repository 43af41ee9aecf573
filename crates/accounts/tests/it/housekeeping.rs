//! Tables come, go and come again; rows that have done their work go.

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, Statement};
use souk_accounts::schedules;
use souk_proto::accounts::v1::{CreateUserRequest, ListUsersRequest};
use souk_storage::{migrate, roll_back};

use crate::devices::remembered;
use crate::house::{House, PASSWORD, answer, migrations};
use crate::people::fields;

crate::on_both! {
    tables_come_go_and_come_again
    what_is_over_is_forgotten_in_time_and_nothing_else
}

async fn tables_come_go_and_come_again(house: &House) {
    let tables = migrations();
    house.person("ann").await;
    migrate(&house.db, &tables).await.unwrap();
    assert!(house.login("ann", PASSWORD).await.is_ok());
    roll_back(&house.db, &tables).await.unwrap();
    assert!(house.create(fields("ann")).await.is_err());
    migrate(&house.db, &tables).await.unwrap();
    assert_eq!(house.admin("ann").await.role, "admin");
}

async fn what_is_over_is_forgotten_in_time_and_nothing_else(house: &House) {
    let request = CreateUserRequest {
        fields: Some(fields("ann")),
        idempotency_key: "k".into(),
        check_only: false,
    };
    answer(house.operator().create_user(request)).await.unwrap();
    let session = house.enter(remembered("ann")).await.unwrap();
    assert!(house.login("nobody", PASSWORD).await.is_err());
    assert_eq!(rows(house).await, [1, 1, 1, 1]);

    run(house).await;
    assert_eq!(rows(house).await, [1, 1, 1, 1]);
    house.clock.advance(TimeDelta::hours(25));
    run(house).await;
    assert_eq!(rows(house).await, [1, 1, 0, 0]);
    assert!(house.refresh(&session.refresh_token).await.is_ok());
    house.clock.advance(TimeDelta::days(30));
    run(house).await;
    assert_eq!(rows(house).await, [1, 2, 0, 0]);
    house.clock.advance(TimeDelta::days(7));
    run(house).await;
    assert_eq!(rows(house).await, [0, 0, 0, 0]);
    assert_eq!(house.usernames(ListUsersRequest::default()).await, ["ann"]);
}

async fn run(house: &House) {
    for schedule in schedules(&house.app) {
        (schedule.run)().await.unwrap();
    }
}

async fn rows(house: &House) -> [i64; 4] {
    let db = house.db.write();
    let mut counts = [0; 4];
    for (count, table) in
        counts.iter_mut().zip(["session", "refresh_token", "idempotency", "login_brake"])
    {
        let sql = format!("SELECT COUNT(*) AS n FROM {table}");
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await;
        *count = row.unwrap().unwrap().try_get("", "n").unwrap();
    }
    counts
}
