//! Hot reads: rendered answers in memory, dropped when an event says that the product changed.
//!
//! An entry lives 5 s at most, and a fill that an invalidation overtook is not kept: so no reader
//! sees the old state for longer than the event takes to arrive.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderValue;
use moka::sync::Cache;
use souk_values::ProductId;

const LIFE: Duration = Duration::from_secs(5);
/// So old is an entry refreshed if it is still wanted.
const RIPE: Duration = Duration::from_millis(3_500);
/// Refreshes of an entry that nobody asked for: about half a minute.
const MAX_IDLE: u32 = 7;
/// Lists and aliases: bounded by number.
const MAX_LISTS: u64 = 2_000;

/// A rendered answer.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub(crate) body: Bytes,
    pub(crate) etag: HeaderValue,
}

/// A product's rendered answer.
#[derive(Debug)]
pub(crate) struct HotProduct {
    pub(crate) id: ProductId,
    pub(crate) rendered: Rendered,
    filled: Instant,
    /// Whether anybody wanted it since it was filled.
    asked: AtomicBool,
    /// How often it was refreshed in a row without being asked for.
    idle: u32,
}

impl HotProduct {
    pub(crate) fn new(id: ProductId, rendered: Rendered) -> Self {
        Self { id, rendered, filled: Instant::now(), asked: AtomicBool::new(true), idle: 0 }
    }

    /// A newer state in the place of `before`.
    pub(crate) fn refreshed(before: &Self, rendered: Rendered) -> Self {
        let idle = if before.asked.load(Ordering::Relaxed) { 0 } else { before.idle + 1 };
        let asked = AtomicBool::new(false);
        Self { id: before.id, rendered, filled: Instant::now(), asked, idle }
    }
}

/// The memory of one gateway.
pub(crate) struct Hot {
    products: Cache<ProductId, Arc<HotProduct>>,
    /// SKU or slug to id.
    aliases: Cache<String, ProductId>,
    /// By query string.
    lists: Cache<String, Arc<Rendered>>,
    /// Counts invalidations of anything.
    moves: AtomicU64,
    /// When, on that count, each product was last invalidated; as long as a fill may take.
    moved: Cache<ProductId, u64>,
    /// When everything was.
    flushed: AtomicU64,
}

/// A fill that has begun; what came since makes it void.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill(u64);

impl Hot {
    pub(crate) fn new(products: u64) -> Self {
        let timed = |max: u64| Cache::builder().max_capacity(max).time_to_live(LIFE);
        Self {
            products: timed(products).build(),
            aliases: Cache::builder().max_capacity(products).time_to_live(LIFE).build(),
            lists: Cache::builder().max_capacity(MAX_LISTS).time_to_live(LIFE).build(),
            moves: AtomicU64::new(1),
            moved: Cache::builder()
                .max_capacity(100_000)
                .time_to_live(Duration::from_secs(60))
                .build(),
            flushed: AtomicU64::new(0),
        }
    }

    /// By id, SKU or slug as it stands decoded in the path.
    pub(crate) fn product(&self, key: &str) -> Option<Arc<HotProduct>> {
        let id = match key.parse::<ProductId>() {
            Ok(id) => id,
            Err(_) => self.aliases.get(key)?,
        };
        let hot = self.products.get(&id)?;
        // read first: readers of one product must not fight over its memory
        if !hot.asked.load(Ordering::Relaxed) {
            hot.asked.store(true, Ordering::Relaxed);
        }
        Some(hot)
    }

    /// What will expire soon and was asked for in the last half minute: to be refreshed in bulk, which costs a fraction
    /// of filling each when it is asked for again.
    pub(crate) fn ripe(&self) -> Vec<Arc<HotProduct>> {
        let wanted = |hot: &HotProduct| {
            hot.filled.elapsed() >= RIPE
                && (hot.asked.load(Ordering::Relaxed) || hot.idle < MAX_IDLE)
        };
        self.products.iter().map(|(_, hot)| hot).filter(|hot| wanted(hot)).collect()
    }

    /// Puts a refreshed answer in its place, unless an invalidation overtook it. `words` are its
    /// SKU and slug: those under which it was asked for stay known as well.
    pub(crate) fn refresh(&self, fill: Fill, hot: HotProduct, words: [&str; 2]) {
        let id = hot.id;
        if self.overtaken(fill, id) {
            return;
        }
        self.products.insert(id, Arc::new(hot));
        for word in words {
            if self.aliases.get(word) == Some(id) {
                self.aliases.insert(word.to_owned(), id);
            }
        }
        if self.overtaken(fill, id) {
            self.products.invalidate(&id);
            words.iter().for_each(|word| self.aliases.invalidate(*word));
        }
    }

    pub(crate) fn list(&self, query: &str) -> Option<Arc<Rendered>> {
        self.lists.get(query)
    }

    /// To be called before the state is asked for.
    pub(crate) fn begin(&self) -> Fill {
        Fill(self.moves.load(Ordering::SeqCst))
    }

    pub(crate) fn keep_product(&self, fill: Fill, key: &str, hot: Arc<HotProduct>) {
        let id = hot.id;
        if self.overtaken(fill, id) {
            return;
        }
        if key.parse::<ProductId>().is_err() {
            self.aliases.insert(key.to_owned(), id);
        }
        self.products.insert(id, hot);
        // an invalidation between the look above and the insert would have found nothing to drop
        if self.overtaken(fill, id) {
            self.products.invalidate(&id);
            self.aliases.invalidate(key);
        }
    }

    fn overtaken(&self, fill: Fill, id: ProductId) -> bool {
        self.flushed.load(Ordering::SeqCst) > fill.0
            || self.moved.get(&id).is_some_and(|at| at > fill.0)
    }

    pub(crate) fn keep_list(&self, fill: Fill, query: &str, rendered: Arc<Rendered>) {
        if self.moves.load(Ordering::SeqCst) != fill.0 {
            return;
        }
        self.lists.insert(query.to_owned(), rendered);
        if self.moves.load(Ordering::SeqCst) != fill.0 {
            self.lists.invalidate(query);
        }
    }

    /// The product changed; `words` are the SKU and slugs under which it was or is found.
    pub(crate) fn drop_product(&self, id: ProductId, words: &[&str]) {
        let at = self.moves.fetch_add(1, Ordering::SeqCst) + 1;
        self.moved.insert(id, at);
        self.products.invalidate(&id);
        for word in words {
            self.aliases.invalidate(*word);
        }
        self.lists.invalidate_all();
    }

    /// Something may have been missed.
    pub(crate) fn flush(&self) {
        let at = self.moves.fetch_add(1, Ordering::SeqCst) + 1;
        self.flushed.store(at, Ordering::SeqCst);
        self.products.invalidate_all();
        self.aliases.invalidate_all();
        self.lists.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hot(id: ProductId) -> Arc<HotProduct> {
        let rendered =
            Rendered { body: Bytes::from_static(b"{}"), etag: HeaderValue::from_static("\"1\"") };
        Arc::new(HotProduct::new(id, rendered))
    }

    #[test]
    fn a_refresh_counts_idle_rounds_and_respects_invalidations() {
        let (cache, id) = (Hot::new(100), ProductId::new());
        cache.keep_product(cache.begin(), "a", hot(id));
        assert!(cache.ripe().is_empty(), "it is fresh");
        let before = cache.product(&id.to_string()).unwrap();
        let new = HotProduct::refreshed(&before, before.rendered.clone());
        assert_eq!(new.idle, 0, "it was asked for");
        let again = HotProduct::refreshed(&new, before.rendered.clone());
        assert_eq!(again.idle, 1, "nobody asked meanwhile");
        let fill = cache.begin();
        cache.drop_product(id, &[]);
        cache.refresh(fill, again, ["a", "b"]);
        assert!(cache.product(&id.to_string()).is_none());
        cache.refresh(cache.begin(), new, ["a", "b"]);
        assert!(cache.product(&id.to_string()).is_some());
        assert!(cache.product("b").is_none(), "nobody asked for it under this word");
    }

    #[test]
    fn a_product_is_found_by_id_and_by_the_word_it_was_asked_under() {
        let (cache, id) = (Hot::new(100), ProductId::new());
        cache.keep_product(cache.begin(), "SKU 1/ä", hot(id));
        assert!(cache.product("SKU 1/ä").is_some());
        assert!(cache.product(&id.to_string()).is_some());
        assert!(cache.product("other").is_none());
        cache.drop_product(id, &["SKU 1/ä"]);
        assert!(cache.product("SKU 1/ä").is_none());
        assert!(cache.product(&id.to_string()).is_none());
    }

    #[test]
    fn a_fill_that_an_invalidation_overtook_is_not_kept() {
        let (cache, id) = (Hot::new(100), ProductId::new());
        let fill = cache.begin();
        cache.drop_product(id, &[]);
        cache.keep_product(fill, "a", hot(id));
        assert!(cache.product(&id.to_string()).is_none());

        let fill = cache.begin();
        cache.flush();
        cache.keep_product(fill, "a", hot(id));
        assert!(cache.product(&id.to_string()).is_none());

        let fill = cache.begin();
        cache.drop_product(ProductId::new(), &[]);
        cache.keep_product(fill, "a", hot(id));
        assert!(cache.product("a").is_some(), "another product's change does not matter");
        let rendered = Arc::new(hot(id).rendered.clone());
        cache.keep_list(fill, "sort=price", rendered);
        assert!(cache.list("sort=price").is_none(), "but any change matters to lists");
    }
}
