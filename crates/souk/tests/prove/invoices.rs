//! The invoices of a real shop, bought again: customers, carts, orders, returns as refunds; the
//! sums are those of the file, to the penny.
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::amounts::amount;
use crate::buyers::{Buyer, crowd, crowded, verified};
use crate::client::{Client, decimal};
use crate::evidence::show;
use crate::house::{Ground, House};
use crate::process::until;

/// A row of the file that can be bought or brought back.
#[derive(Clone, Debug)]
struct Row {
    invoice: String,
    sku: String,
    quantity: i64,
    pence: i64,
    customer: String,
}

/// What became of the file.
#[derive(Debug, Default)]
struct Report {
    invoices: usize,
    customers: usize,
    rows: usize,
    orders: usize,
    lines: usize,
    refunds: usize,
    /// Rows without a price, or negative outside of returns.
    left_out: usize,
    /// Returns of which the original is not in the file.
    unknown_returns: usize,
    /// Invoices and SKUs whose sums differ from the file's.
    wrong: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| rows | invoices | customers | orders | lines | refunds | rows left out | returns of unknown origin | sums that differ |"
        )?;
        writeln!(f, "| --: | --: | --: | --: | --: | --: | --: | --: | --: |")?;
        writeln!(
            f,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.rows,
            self.invoices,
            self.customers,
            self.orders,
            self.lines,
            self.refunds,
            self.left_out,
            self.unknown_returns,
            self.wrong
        )
    }
}

/// The folder of real data.
fn folder() -> PathBuf {
    std::env::var_os("SOUK_TEST_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_invoices_of_a_real_shop_are_bought_again_to_the_penny() {
    let file = folder().join("online-retail.csv");
    let Ok(file) = std::fs::read(&file) else {
        eprintln!("left out, {} is not there: the invoices of a real shop", file.display());
        return;
    };
    let mut report = Report::default();
    let invoices = read(&file, amount(120, u32::MAX) as usize, &mut report);
    let ground = crowded(Ground::folder()).with("SOUK_SHOP__CURRENCY", "GBP");
    let house = House::whole(ground).await;
    let client = house.client.clone();
    let products = goods(&client, &invoices).await;
    let names: BTreeSet<&String> = invoices.iter().flatten().map(|row| &row.customer).collect();
    report.customers = names.len();
    let people = crowd(&client, u32::try_from(names.len()).unwrap()).await;
    let people: HashMap<&String, Buyer> = names.into_iter().zip(people).collect();

    let mut replay = Replay::new(&client, &products);
    for invoice in &invoices {
        let buyer = &people[&invoice[0].customer];
        if invoice[0].invoice.starts_with('C') {
            replay.bring_back(invoice, &mut report).await;
        } else {
            replay.buy(buyer, invoice, &mut report).await;
        }
    }
    report.wrong = replay.differences(&people).await;
    show("invoices", "The invoices of a real shop through the API, SQLite", &report);
    assert!(report.orders > 0 && report.refunds > 0, "{report}");
    assert_eq!(report.wrong, 0, "{report}");
    println!("{}", verified(&house).await);
}

/// Rows by invoice, in the file's order.
fn read(file: &[u8], most: usize, report: &mut Report) -> Vec<Vec<Row>> {
    let text = |cell: &[u8]| cell.iter().map(|byte| char::from(*byte)).collect::<String>();
    let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let header: Vec<String> = csv.byte_headers().unwrap().iter().map(text).collect();
    let at = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (invoice, sku) = (at("InvoiceNo"), at("StockCode"));
    let (quantity, price, customer) = (at("Quantity"), at("UnitPrice"), at("CustomerID"));
    let mut order: Vec<String> = Vec::new();
    let mut found: HashMap<String, Vec<Row>> = HashMap::new();
    for record in csv.byte_records() {
        let record = record.unwrap();
        let cell = |at: usize| text(record.get(at).unwrap_or_default()).trim().to_owned();
        let number = cell(invoice);
        if !found.contains_key(&number) {
            if order.len() == most {
                continue;
            }
            order.push(number.clone());
            found.insert(number.clone(), Vec::new());
        }
        report.rows += 1;
        let units: i64 = cell(quantity).parse().unwrap();
        let back = number.starts_with('C');
        match pence(&cell(price)) {
            Some(pence) if pence > 0 && (units < 0) == back && units != 0 => {
                let customer = match cell(customer) {
                    none if none.is_empty() => format!("of invoice {number}"),
                    known => known,
                };
                let (sku, quantity) = (cell(sku), units.abs());
                let row = Row { invoice: number.clone(), sku, quantity, pence, customer };
                found.get_mut(&number).unwrap().push(row);
            }
            _ => report.left_out += 1,
        }
    }
    let invoices: Vec<Vec<Row>> = order
        .iter()
        .map(|number| found.remove(number).unwrap())
        .filter(|i| !i.is_empty())
        .collect();
    report.invoices = invoices.len();
    invoices
}

/// `2.55` as 255; `None`: no price of two decimals.
fn pence(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 2 {
        return None;
    }
    format!("{whole}{fraction:0<2}").parse().ok()
}

/// Every SKU as a product with enough on the shelf; ids by SKU.
async fn goods(client: &Client, invoices: &[Vec<Row>]) -> HashMap<String, String> {
    let skus: BTreeSet<&String> = invoices.iter().flatten().map(|row| &row.sku).collect();
    let skus: Vec<&String> = skus.into_iter().collect();
    let mut products = HashMap::new();
    for some in skus.chunks(100) {
        let made = join_all(some.iter().map(|sku| async move {
            let body = json!({ "sku": sku, "name": sku, "price": "1.00", "stock": 1_000_000_000 });
            let (status, product) = client.order("POST", "/api/products", Some(body)).await;
            assert_eq!(status, 201, "{product}");
            ((*sku).clone(), product["id"].as_str().unwrap().to_owned())
        }))
        .await;
        products.extend(made);
    }
    products
}

/// A line that can be brought back.
#[derive(Debug)]
struct Open {
    order: String,
    left: i64,
    pence: i64,
}

struct Replay<'a> {
    client: &'a Client,
    products: &'a HashMap<String, String>,
    prices: HashMap<String, i64>,
    /// By customer and SKU, oldest first.
    open: HashMap<(String, String), Vec<Open>>,
    /// Orders of an invoice.
    orders: BTreeMap<String, Vec<String>>,
    /// Pence of an invoice, and units and pence of a SKU, by the file.
    invoice_sums: BTreeMap<String, i64>,
    sku_sums: BTreeMap<String, (i64, i64)>,
}

impl<'a> Replay<'a> {
    fn new(client: &'a Client, products: &'a HashMap<String, String>) -> Self {
        Self {
            client,
            products,
            prices: HashMap::new(),
            open: HashMap::new(),
            orders: BTreeMap::new(),
            invoice_sums: BTreeMap::new(),
            sku_sums: BTreeMap::new(),
        }
    }

    /// An order for the first price of each SKU, another for the second, ….
    async fn buy(&mut self, buyer: &Buyer, invoice: &[Row], report: &mut Report) {
        let mut parts: Vec<BTreeMap<&String, (i64, i64)>> = Vec::new();
        for row in invoice {
            *self.invoice_sums.entry(row.invoice.clone()).or_default() += row.quantity * row.pence;
            let sums = self.sku_sums.entry(row.sku.clone()).or_default();
            *sums = (sums.0 + row.quantity, sums.1 + row.quantity * row.pence);
            let fits = |part: &BTreeMap<&String, (i64, i64)>| {
                part.get(&row.sku).is_none_or(|(pence, _)| *pence == row.pence)
            };
            let at = parts.iter().position(fits).unwrap_or(parts.len());
            if at == parts.len() {
                parts.push(BTreeMap::new());
            }
            parts[at].entry(&row.sku).or_insert((row.pence, 0)).1 += row.quantity;
        }
        for part in parts {
            self.set_prices(&part).await;
            buyer.empty_cart().await;
            for (sku, (_, quantity)) in &part {
                let (status, cart) = buyer.add(&self.products[*sku], *quantity).await;
                assert_eq!(status, 200, "{cart}");
            }
            let (status, order) = buyer.order(None).await;
            assert_eq!(status, 201, "{order}");
            let id = order["id"].as_str().unwrap().to_owned();
            for (sku, (pence, quantity)) in part {
                report.lines += 1;
                let key = (invoice[0].customer.clone(), sku.clone());
                let open = Open { order: id.clone(), left: quantity, pence };
                self.open.entry(key).or_default().push(open);
            }
            self.orders.entry(invoice[0].invoice.clone()).or_default().push(id);
            report.orders += 1;
        }
    }

    async fn set_prices(&mut self, part: &BTreeMap<&String, (i64, i64)>) {
        let wrong = part.iter().filter(|(sku, (pence, _))| self.prices.get(**sku) != Some(pence));
        let wrong: Vec<(String, i64)> = wrong.map(|(sku, (p, _))| ((*sku).clone(), *p)).collect();
        let this = &*self;
        for some in wrong.chunks(8) {
            let changes = some.iter().map(|(sku, pence)| async move {
                let body = json!({ "price": decimal(*pence) });
                let path = format!("/api/products/{}", this.products[sku]);
                let (status, product) = this.client.order("PUT", &path, Some(body)).await;
                assert_eq!(status, 200, "{product}");
            });
            join_all(changes).await;
        }
        self.prices.extend(wrong);
    }

    /// What the customer bought last at that price is refunded and put back.
    async fn bring_back(&mut self, invoice: &[Row], report: &mut Report) {
        for row in invoice {
            let key = (row.customer.clone(), row.sku.clone());
            let fits = |open: &&mut Open| open.left >= row.quantity && open.pence == row.pence;
            let open = self.open.get_mut(&key).and_then(|all| all.iter_mut().rev().find(fits));
            let Some(open) = open else {
                report.unknown_returns += 1;
                continue;
            };
            open.left -= row.quantity;
            let body = json!({
                "lines": [{ "product_id": self.products[&row.sku], "quantity": row.quantity }],
                "reason": format!("return {}", row.invoice), "restock": true,
            });
            let path = format!("/api/admin/orders/{}/refunds", open.order);
            let (status, answer) = self.client.order("POST", &path, Some(body)).await;
            assert!([200, 201, 202].contains(&status), "{status} {answer}");
            let sums = self.sku_sums.entry(row.sku.clone()).or_default();
            *sums = (sums.0 - row.quantity, sums.1 - row.quantity * row.pence);
            report.refunds += 1;
        }
    }

    /// Invoices and SKUs whose sums are not those of the file.
    async fn differences(&self, people: &HashMap<&String, Buyer>) -> usize {
        let mut wrong = 0;
        let mut totals: HashMap<String, i64> = HashMap::new();
        let mut last = Vec::new();
        let settled = until(Duration::from_secs(60), async || {
            last = self.client.items("/api/admin/orders").await;
            last.iter().all(|order| order["status"] != "refund_pending")
        });
        assert!(settled.await, "a refund does not end");
        for order in &last {
            let id = order["id"].as_str().unwrap().to_owned();
            totals.insert(id, pence(order["total"].as_str().unwrap()).unwrap());
        }
        assert_eq!(totals.len(), self.orders.values().map(Vec::len).sum::<usize>());
        for (invoice, sum) in &self.invoice_sums {
            let bought: i64 = self.orders[invoice].iter().map(|id| totals[id]).sum();
            if bought != *sum {
                eprintln!("invoice {invoice}: {bought}, by the file {sum}");
                wrong += 1;
            }
        }
        // what the customers see, and what the figures say
        let seen: usize = {
            let mut seen = 0;
            for buyer in people.values() {
                let (_, page) = buyer.ask("GET", "/api/orders?limit=100", None).await;
                seen += page["items"].as_array().unwrap().len();
            }
            seen
        };
        assert!(seen > 0);
        for (sku, (units, sum)) in &self.sku_sums {
            let path = format!("/api/admin/stats/sales?product={}", self.products[sku]);
            let mut figures = (0, 0);
            let same = until(Duration::from_secs(180), async || {
                figures = of(&self.client.read(&path).await);
                figures == (*units, *sum)
            });
            if !same.await {
                eprintln!("{sku}: {figures:?}, by the file {units} units, {sum} pence");
                wrong += 1;
            }
        }
        wrong
    }
}

/// Units and pence of an answer of the sales figures.
fn of(sales: &Value) -> (i64, i64) {
    let Some(total) = sales["totals"].as_array().and_then(|totals| totals.first()) else {
        return (0, 0);
    };
    let revenue = total["revenue"].as_str().and_then(signed).unwrap_or_default();
    (total["units"].as_i64().unwrap_or_default(), revenue)
}

fn signed(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(rest) => pence(rest).map(|pence| -pence),
        None => pence(text),
    }
}
