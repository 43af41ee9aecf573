//! Adding to carts: what is added to many carts at the same time shares one commit.
use std::collections::{BTreeMap, HashMap};

use futures::FutureExt;
use souk_storage::{Database, Group, Tx};
use souk_values::{CartId, Clock, ProductId};

use crate::domain::cart::{Cart, Line, Owner};
use crate::domain::goods::Goods;
use crate::error::Error;
use crate::store;

/// Adds of one transaction.
const AT_ONCE: usize = 64;

/// The way of everything that is added. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Adds {
    group: Group<Add, Result<Cart, Error>>,
}

#[derive(Clone)]
struct Add {
    owner: Owner,
    goods: Goods,
    quantity: i64,
}

impl Adds {
    pub(crate) fn new(db: Database, clock: Clock) -> Self {
        let group = Group::new(AT_ONCE, move |adds| {
            let (db, clock) = (db.clone(), clock.clone());
            async move { all(&db, &clock, adds).await }.boxed()
        });
        Self { group }
    }

    /// Adds to the owner's cart; answers the cart as it is then.
    pub(crate) async fn add(
        &self,
        owner: Owner,
        goods: Goods,
        quantity: i64,
    ) -> Result<Cart, Error> {
        let answer = self.group.submit(Add { owner, goods, quantity }).await;
        answer.map_err(|abandoned| Error::Broken(abandoned.to_string()))?
    }
}

/// Why nothing was added.
enum Failed {
    /// Nothing is written: it may be tried again.
    Before(Error),
    /// The commit broke: perhaps it is written.
    AtCommit(Error),
}

async fn all(db: &Database, clock: &Clock, adds: Vec<Add>) -> Vec<Result<Cart, Error>> {
    match together(db, clock, &adds).await {
        Ok(answers) => answers,
        // one must not disturb the others
        Err(Failed::Before(_)) if adds.len() > 1 => {
            let mut answers = Vec::with_capacity(adds.len());
            for add in adds {
                answers.push(alone(db, clock, add).await);
            }
            answers
        }
        Err(Failed::Before(error) | Failed::AtCommit(error)) => {
            let told = error.to_string();
            let mut answers = vec![Err(error)];
            answers.extend((1..adds.len()).map(|_| Err(Error::Broken(told.clone()))));
            answers
        }
    }
}

async fn alone(db: &Database, clock: &Clock, add: Add) -> Result<Cart, Error> {
    let answers = together(db, clock, &[add]).await;
    let answers = answers.map_err(|(Failed::Before(error) | Failed::AtCommit(error))| error)?;
    let none = || Err(Error::Broken("an add was not answered".to_owned()));
    answers.into_iter().next().unwrap_or_else(none)
}

async fn together(
    db: &Database,
    clock: &Clock,
    adds: &[Add],
) -> Result<Vec<Result<Cart, Error>>, Failed> {
    let before = |error: sea_orm::DbErr| Failed::Before(error.into());
    let tx = db.begin().await.map_err(before)?;
    let answers = write(&tx, clock, adds).await.map_err(before)?;
    if answers.iter().any(Result::is_ok) {
        tx.commit().await.map_err(|error| Failed::AtCommit(error.into()))?;
    }
    Ok(answers)
}

async fn write(
    tx: &Tx,
    clock: &Clock,
    adds: &[Add],
) -> Result<Vec<Result<Cart, Error>>, sea_orm::DbErr> {
    let now = clock.now();
    let owners: Vec<Owner> = adds.iter().map(|add| add.owner).collect();
    let mut carts = store::cart::hold(tx, &owners, now).await?;
    // one row for each product of a cart; in one order, as others lock them
    let mut more: BTreeMap<(CartId, ProductId), Line> = BTreeMap::new();
    let refused: Vec<Option<Error>> =
        adds.iter().map(|add| put(&mut carts, add, &mut more).err()).collect();
    if !more.is_empty() {
        let mut touched: Vec<CartId> = more.keys().map(|(cart, _)| *cart).collect();
        touched.dedup();
        let lines: Vec<_> = more.into_iter().map(|((cart, _), line)| (cart, line)).collect();
        store::cart::add_quantities(tx, &lines).await?;
        store::cart::touch(tx, &touched, now).await?;
        for cart in carts.values_mut().filter(|cart| touched.contains(&cart.id)) {
            cart.version += 1;
        }
    }
    let answer = |(add, refused): (&Add, Option<Error>)| match refused {
        Some(error) => Err(error),
        None => carts.get(&add.owner).cloned().ok_or(Error::CartNotFound),
    };
    Ok(adds.iter().zip(refused).map(answer).collect())
}

fn put(
    carts: &mut HashMap<Owner, Cart>,
    add: &Add,
    more: &mut BTreeMap<(CartId, ProductId), Line>,
) -> Result<(), Error> {
    let cart = carts.get_mut(&add.owner).ok_or(Error::CartNotFound)?;
    let line = cart.add(&add.goods, add.quantity)?;
    let quantity = line.quantity;
    more.entry((cart.id, line.product_id))
        .and_modify(|row| row.quantity += quantity)
        .or_insert(line);
    Ok(())
}
