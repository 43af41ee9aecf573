//! Looking at a cart: what it holds, what that costs now, what changed since the last look.
use std::collections::HashMap;

use souk_rpc::{Failure, Kind};
use souk_values::{CartId, ProductId};

use crate::app::App;
use crate::domain::cart::{Cart, Line, Look, Owner, look};
use crate::domain::goods::Goods;
use crate::error::Error;
use crate::store;

/// Looks that find the cart changed under them before one shows what it sees and leaves the
/// remembering to the next.
const ATTEMPTS: usize = 5;

/// A cart as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// `None`: the user has none yet.
    pub(crate) id: Option<CartId>,
    pub(crate) version: i64,
    pub(crate) look: Look,
}

/// The owner's cart as it is now.
pub(crate) async fn show(app: &App, owner: Owner) -> Result<Shown, Error> {
    let found = store::cart::find(store::cart::newest(&app.db), owner).await?;
    match (found, owner) {
        (Some(cart), _) => settle(app, owner, cart, HashMap::new()).await,
        (None, Owner::User(_)) => nothing(app),
        (None, Owner::Guest(_)) => Err(Error::CartNotFound),
    }
}

/// The cart after a change of it that is committed; `known`: goods that were looked up for that.
pub(super) async fn show_after(
    app: &App,
    owner: Owner,
    cart: Cart,
    known: Vec<Goods>,
) -> Result<Shown, Error> {
    let known = known.into_iter().map(|goods| (goods.id, goods)).collect();
    settle(app, owner, cart, known).await.map_err(|error| match error {
        // 503 would promise that nothing was done
        Error::Neighbour(failure) if failure.kind == Kind::Unavailable => {
            let sentence = "it is done, but the cart cannot be shown: look again";
            Failure::new(Kind::Timeout, "answer_lost", sentence).into()
        }
        other => other,
    })
}

/// Shows the cart and remembers what is new in it. Of two looks at the same moment one remembers,
/// and the other looks again, so that each change is told once.
async fn settle(
    app: &App,
    owner: Owner,
    mut cart: Cart,
    mut goods: HashMap<ProductId, Goods>,
) -> Result<Shown, Error> {
    for attempt in 1.. {
        let missing: Vec<ProductId> = cart
            .lines
            .iter()
            .map(|line| line.product_id)
            .filter(|id| !goods.contains_key(id))
            .collect();
        if !missing.is_empty() {
            goods.extend(app.catalog.goods(&missing).await?);
        }
        let look = look(&cart, &goods, app.currency)?;
        let news: Vec<&Line> = look.news().collect();
        let mut version = cart.version;
        if !news.is_empty() && attempt <= ATTEMPTS {
            let tx = app.db.begin().await?;
            if !store::cart::remember(&tx, cart.id, cart.version, &news).await? {
                drop(tx);
                let found = store::cart::find(store::cart::newest(&app.db), owner).await?;
                let Some(found) = found else { return nothing(app) };
                cart = found;
                goods.clear();
                continue;
            }
            tx.commit().await?;
            version += 1;
        }
        return Ok(Shown { id: Some(cart.id), version, look });
    }
    nothing(app)
}

fn nothing(app: &App) -> Result<Shown, Error> {
    let look = Look { lines: Vec::new(), total: 0, currency: app.currency };
    Ok(Shown { id: None, version: 0, look })
}
