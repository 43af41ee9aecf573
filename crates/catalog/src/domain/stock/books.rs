//! What orders ask of the stock, one after the other, each wholly or not at all. Works on what was
//! loaded and locked for it; afterwards all that differs is written at once.
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use souk_values::{MovementId, OrderId, ProductId};

use super::{Movement, MovementKind, RefusedLine, Shelf, Wanted};

/// How far a reservation has come. Only a held one can expire; nothing leaves `Released`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Held,
    Committed,
    Released,
    Expired,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Committed => "committed",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Held, Self::Committed, Self::Released, Self::Expired]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// What an order has of one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) product_id: ProductId,
    pub(crate) quantity: i64,
    /// Nothing was taken from a shelf for it.
    pub(crate) digital: bool,
    pub(crate) state: State,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) changed_at: DateTime<Utc>,
}

/// One wish of one order.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) order_id: OrderId,
    pub(crate) what: What,
    pub(crate) actor: String,
    /// W3C context of the request.
    pub(crate) traceparent: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Reserve {
        lines: Vec<Wanted>,
        ttl: TimeDelta,
    },
    Commit,
    Release,
    Return {
        return_id: String,
        lines: Vec<(ProductId, i64)>,
    },
    /// Ends what is held past its time.
    Expire,
}

/// What became of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Held { expires_at: DateTime<Utc> },
    Refused(Vec<RefusedLine>),
    Committed,
    Ended,
}

/// A wish that cannot be, whatever lies on the shelves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The order was released.
    OrderEnded,
    /// Nothing was ever reserved for it.
    NotReserved,
    ReturnsTooMuch,
}

/// Everything that some wishes are about.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) now: DateTime<Utc>,
    pub(crate) shelves: BTreeMap<ProductId, Shelf>,
    pub(crate) holds: BTreeMap<OrderId, Vec<Hold>>,
    /// Orders that were released before they had reserved anything; they never will.
    pub(crate) called_off: BTreeSet<OrderId>,
    /// What came back of an order, by product and return.
    pub(crate) returned: BTreeMap<(OrderId, ProductId), BTreeMap<String, i64>>,
    /// New rows of the ledger, in order.
    pub(crate) ledger: Vec<Movement>,
    /// Orders that stand differently now.
    pub(crate) changed: BTreeSet<OrderId>,
    /// Shelves that were moved, with the context of the request that moved them last.
    pub(crate) moved: BTreeMap<ProductId, Option<String>>,
}

impl Books {
    pub(crate) fn apply(&mut self, ask: &Ask) -> Result<Done, Refusal> {
        match &ask.what {
            What::Reserve { lines, ttl } => self.reserve(ask, lines, *ttl),
            What::Commit => self.commit(ask),
            What::Release => Ok(self.release(ask)),
            What::Return { return_id, lines } => self.take_back(ask, return_id, lines),
            What::Expire => Ok(self.expire(ask)),
        }
    }

    /// What the orders hold that stand differently now, and those of them that were called off.
    pub(crate) fn changes(&self) -> (Vec<(OrderId, Hold)>, Vec<OrderId>) {
        let mut holds = Vec::new();
        for order in &self.changed {
            let of_order = self.holds.get(order).into_iter().flatten();
            holds.extend(of_order.map(|hold| (*order, hold.clone())));
        }
        (holds, self.changed.intersection(&self.called_off).copied().collect())
    }

    /// Where an order stands; the state of all its living lines.
    fn state(&self, order: OrderId) -> Option<State> {
        if self.called_off.contains(&order) {
            return Some(State::Released);
        }
        let holds = self.holds.get(&order)?;
        [State::Committed, State::Held, State::Released, State::Expired]
            .into_iter()
            .find(|state| holds.iter().any(|hold| hold.state == *state))
    }

    fn reserve(&mut self, ask: &Ask, lines: &[Wanted], ttl: TimeDelta) -> Result<Done, Refusal> {
        match self.state(ask.order_id) {
            Some(State::Held | State::Committed) => {
                let holds = self.holds.get(&ask.order_id).into_iter().flatten();
                let expires_at = holds.map(|h| h.expires_at).max().unwrap_or(self.now);
                Ok(Done::Held { expires_at })
            }
            Some(State::Released) => Err(Refusal::OrderEnded),
            Some(State::Expired) | None => {
                let expires_at = self.now + ttl;
                let refused = self.hold(ask, lines, State::Held, expires_at);
                Ok(if refused.is_empty() {
                    Done::Held { expires_at }
                } else {
                    Done::Refused(refused)
                })
            }
        }
    }

    /// Takes every line or none; answers those that cannot be had.
    fn hold(
        &mut self,
        ask: &Ask,
        lines: &[Wanted],
        state: State,
        expires_at: DateTime<Utc>,
    ) -> Vec<RefusedLine> {
        let refuses = |line: &Wanted| match self.shelves.get(&line.product_id) {
            Some(shelf) => shelf.refuses(line),
            None => Some(RefusedLine::gone(line.product_id)),
        };
        let refused: Vec<RefusedLine> = lines.iter().filter_map(refuses).collect();
        if !refused.is_empty() {
            return refused;
        }
        let holds = self.holds.entry(ask.order_id).or_default();
        for line in lines {
            let Some(shelf) = self.shelves.get_mut(&line.product_id) else { continue };
            if !shelf.digital {
                shelf.reserved += line.quantity;
                self.moved.insert(shelf.id, ask.traceparent.clone());
            }
            let hold = Hold {
                product_id: line.product_id,
                quantity: line.quantity,
                digital: shelf.digital,
                state,
                expires_at,
                changed_at: self.now,
            };
            holds.retain(|old| old.product_id != line.product_id);
            holds.push(hold);
        }
        self.changed.insert(ask.order_id);
        Vec::new()
    }

    fn commit(&mut self, ask: &Ask) -> Result<Done, Refusal> {
        match self.state(ask.order_id) {
            None => return Err(Refusal::NotReserved),
            Some(State::Released) => return Err(Refusal::OrderEnded),
            Some(State::Committed) => return Ok(Done::Committed),
            Some(State::Held) => {}
            Some(State::Expired) => {
                let lines = self.lines_in(ask.order_id, State::Expired);
                let wanted: Vec<Wanted> = lines
                    .iter()
                    .map(|hold| Wanted {
                        product_id: hold.product_id,
                        quantity: hold.quantity,
                        // the price was agreed when it was first held
                        seen_price: None,
                        seen_currency: String::new(),
                    })
                    .collect();
                let expires_at = lines.iter().map(|h| h.expires_at).max().unwrap_or(self.now);
                let refused = self.hold(ask, &wanted, State::Held, expires_at);
                if !refused.is_empty() {
                    return Ok(Done::Refused(refused));
                }
            }
        }
        for hold in self.turn(ask, State::Held, State::Committed) {
            self.shelf(hold.product_id, ask, |shelf| {
                shelf.reserved -= hold.quantity;
                shelf.on_hand -= hold.quantity;
            });
            self.note(ask, hold.product_id, MovementKind::Sale, -hold.quantity, "");
        }
        Ok(Done::Committed)
    }

    fn release(&mut self, ask: &Ask) -> Done {
        match self.state(ask.order_id) {
            Some(State::Released) => {}
            Some(State::Held) => {
                for hold in self.turn(ask, State::Held, State::Released) {
                    self.shelf(hold.product_id, ask, |shelf| shelf.reserved -= hold.quantity);
                }
            }
            Some(State::Committed) => {
                for hold in self.turn(ask, State::Committed, State::Released) {
                    let left = hold.quantity - self.came_back(ask.order_id, hold.product_id);
                    if left > 0 {
                        self.put_back(ask, hold.product_id, left, "");
                    }
                }
            }
            // an order that is over must not begin again
            Some(State::Expired) => {
                self.turn(ask, State::Expired, State::Released);
            }
            None => {
                self.called_off.insert(ask.order_id);
                self.changed.insert(ask.order_id);
            }
        }
        Done::Ended
    }

    fn expire(&mut self, ask: &Ask) -> Done {
        let held = self.lines_in(ask.order_id, State::Held);
        if held.iter().any(|hold| hold.expires_at <= self.now) {
            for hold in self.turn(ask, State::Held, State::Expired) {
                self.shelf(hold.product_id, ask, |shelf| shelf.reserved -= hold.quantity);
            }
        }
        Done::Ended
    }

    fn take_back(
        &mut self,
        ask: &Ask,
        return_id: &str,
        lines: &[(ProductId, i64)],
    ) -> Result<Done, Refusal> {
        let state = self.state(ask.order_id).ok_or(Refusal::NotReserved)?;
        let sold = self.lines_in(ask.order_id, State::Committed);
        let mut fresh: Vec<(ProductId, i64)> = Vec::new();
        for (product, quantity) in lines {
            let known = self.returned.get(&(ask.order_id, *product));
            if known.is_some_and(|returns| returns.contains_key(return_id)) {
                continue;
            }
            if state != State::Committed {
                return Err(if state == State::Released {
                    Refusal::ReturnsTooMuch
                } else {
                    Refusal::NotReserved
                });
            }
            let hold = sold.iter().find(|hold| hold.product_id == *product);
            let hold = hold.ok_or(Refusal::ReturnsTooMuch)?;
            if *quantity > hold.quantity - self.came_back(ask.order_id, *product) {
                return Err(Refusal::ReturnsTooMuch);
            }
            if !hold.digital {
                fresh.push((*product, *quantity));
            }
        }
        for (product, quantity) in fresh {
            self.put_back(ask, product, quantity, return_id);
        }
        Ok(Done::Ended)
    }

    fn came_back(&self, order: OrderId, product: ProductId) -> i64 {
        self.returned.get(&(order, product)).map_or(0, |returns| returns.values().sum())
    }

    fn put_back(&mut self, ask: &Ask, product: ProductId, quantity: i64, return_id: &str) {
        let key = (ask.order_id, product);
        self.returned.entry(key).or_default().insert(return_id.to_owned(), quantity);
        self.shelf(product, ask, |shelf| shelf.on_hand += quantity);
        self.note(ask, product, MovementKind::Return, quantity, return_id);
    }

    fn lines_in(&self, order: OrderId, state: State) -> Vec<Hold> {
        let holds = self.holds.get(&order).into_iter().flatten();
        holds.filter(|hold| hold.state == state).cloned().collect()
    }

    /// Brings all lines of the order from one state into another; answers those that are on a shelf.
    fn turn(&mut self, ask: &Ask, from: State, to: State) -> Vec<Hold> {
        let mut turned = Vec::new();
        for hold in self.holds.get_mut(&ask.order_id).into_iter().flatten() {
            if hold.state == from {
                hold.state = to;
                hold.changed_at = self.now;
                turned.push(hold.clone());
            }
        }
        self.changed.insert(ask.order_id);
        turned.retain(|hold| !hold.digital);
        turned
    }

    fn shelf(&mut self, product: ProductId, ask: &Ask, change: impl FnOnce(&mut Shelf)) {
        if let Some(shelf) = self.shelves.get_mut(&product) {
            change(shelf);
            self.moved.insert(product, ask.traceparent.clone());
        }
    }

    fn note(
        &mut self,
        ask: &Ask,
        product_id: ProductId,
        kind: MovementKind,
        quantity: i64,
        return_id: &str,
    ) {
        let on_hand_after = self.shelves.get(&product_id).map_or(0, |shelf| shelf.on_hand);
        self.ledger.push(Movement {
            id: MovementId::new(),
            product_id,
            kind,
            quantity,
            on_hand_after,
            reason: String::new(),
            order_id: Some(ask.order_id),
            return_id: return_id.to_owned(),
            actor: ask.actor.clone(),
            at: self.now,
        });
    }
}
