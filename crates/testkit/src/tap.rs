//! What goes through a shop's exchanges and what lies in its queues, seen from beside.
use std::fmt::Write as _;

use lapin::message::Delivery;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use souk_events::registry::QUEUES;

use crate::storehouse::{Storehouse, server};

/// What the queues of a shop are called, behind the name of each.
const ENDS: [&str; 5] = ["", ".dlq", ".retry.1s", ".retry.10s", ".retry.60s"];

/// A message: where it was, and everything in it.
#[derive(Clone, Debug)]
pub struct Carried {
    /// The routing key, or the queue; without the shop's prefix.
    pub at: String,
    /// Routing key, properties and headers as text, then the body.
    pub bytes: Vec<u8>,
}

/// A queue of the test's own that is bound to everything.
pub struct Tap {
    prefix: String,
    queue: ShortString,
    channel: Channel,
    connection: Connection,
}

impl Tap {
    /// Hears from now on; the shop need not be open yet.
    pub async fn open(store: &Storehouse) -> Self {
        let url = server("SOUK_TEST_RABBITMQ_URL");
        let connection = Connection::connect(&url, ConnectionProperties::default()).await;
        let connection = connection.expect("the broker answers");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirmations");
        let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let queue = channel.queue_declare("".into(), exclusive, FieldTable::default()).await;
        let queue = queue.expect("a queue").name().clone();
        let tap = Self { prefix: store.broker_name(""), queue, channel, connection };
        tap.bind("souk.events", ExchangeKind::Topic, &["#".to_owned()]).await;
        let dead: Vec<String> =
            QUEUES.iter().map(|queue| tap.name(&format!("{}.dlq", queue.name))).collect();
        tap.bind("souk.dlx", ExchangeKind::Direct, &dead).await;
        tap
    }

    /// The exchange as the shop declares it: whoever comes first makes it.
    async fn bind(&self, exchange: &str, kind: ExchangeKind, keys: &[String]) {
        let exchange = ShortString::from(self.name(exchange));
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let declared =
            self.channel.exchange_declare(exchange.clone(), kind, durable, FieldTable::default());
        declared.await.expect("an exchange");
        for key in keys {
            let (options, table) = (QueueBindOptions::default(), FieldTable::default());
            let (queue, key) = (self.queue.clone(), ShortString::from(key.as_str()));
            let bound = self.channel.queue_bind(queue, exchange.clone(), key, options, table);
            bound.await.expect("a binding");
        }
    }

    /// What was published to the exchanges since the last time.
    pub async fn heard(&self) -> Vec<Carried> {
        let options = BasicGetOptions { no_ack: true };
        let mut heard = Vec::new();
        while let Some(message) = self.get(&self.channel, self.queue.clone(), options).await {
            heard.push(self.carried(message.routing_key.as_str(), &message));
        }
        heard
    }

    /// What waits in the shop's queues; it goes on waiting.
    pub async fn lying(&self) -> Vec<Carried> {
        let mut lying = Vec::new();
        for name in queues() {
            // what was taken returns when the channel closes
            let channel = self.connection.create_channel().await.expect("a channel");
            let options = BasicGetOptions::default();
            let queue = ShortString::from(self.name(&name));
            while let Some(message) = self.get(&channel, queue.clone(), options).await {
                lying.push(self.carried(&name, &message));
            }
            channel.close(200, "done".into()).await.expect("it closes");
        }
        lying
    }

    /// Publishes to an exchange of the shop, or past all exchanges (empty) to one of its queues.
    pub async fn publish(&self, exchange: &str, key: &str, headers: &[(&str, &str)], body: &[u8]) {
        let (exchange, key) = match exchange {
            "" => (String::new(), self.name(key)),
            exchange => (self.name(exchange), key.to_owned()),
        };
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), AMQPValue::LongString((*value).into()));
        }
        let properties = BasicProperties::default().with_headers(table);
        let options = BasicPublishOptions::default();
        let sent =
            self.channel.basic_publish(exchange.into(), key.into(), options, body, properties);
        sent.await.expect("it is sent").await.expect("it arrives");
    }

    async fn get(
        &self,
        channel: &Channel,
        queue: ShortString,
        options: BasicGetOptions,
    ) -> Option<Delivery> {
        let message = channel.basic_get(queue, options).await.expect("the queue answers");
        message.map(|message| message.delivery)
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn carried(&self, at: &str, message: &Delivery) -> Carried {
        let mut text = format!("{}\n{}\n", message.exchange, message.routing_key);
        tell(&mut text, &message.properties);
        let bytes = [text.as_bytes(), &message.data].concat();
        Carried { at: at.strip_prefix(&self.prefix).unwrap_or(at).to_owned(), bytes }
    }
}

/// Every queue of a shop that stays, without its prefix.
pub fn queues() -> Vec<String> {
    let all = |queue: &souk_events::QueueSpec| ENDS.map(|end| format!("{}{end}", queue.name));
    QUEUES.iter().flat_map(all).collect()
}

/// Everything that a broker keeps of a message beside its body.
fn tell(text: &mut String, properties: &BasicProperties) {
    let words = [
        properties.content_type(),
        properties.content_encoding(),
        properties.correlation_id(),
        properties.reply_to(),
        properties.expiration(),
        properties.message_id(),
        properties.kind(),
        properties.user_id(),
        properties.app_id(),
        properties.cluster_id(),
    ];
    for word in words.into_iter().flatten() {
        let _ = writeln!(text, "{word}");
    }
    for (name, value) in properties.headers().iter().flat_map(FieldTable::inner) {
        let _ = write!(text, "{name}: ");
        tell_value(text, value);
    }
}

fn tell_value(text: &mut String, value: &AMQPValue) {
    let _ = match value {
        AMQPValue::ShortString(word) => writeln!(text, "{word}"),
        AMQPValue::LongString(word) => writeln!(text, "{word}"),
        AMQPValue::ByteArray(bytes) => {
            writeln!(text, "{}", String::from_utf8_lossy(bytes.as_slice()))
        }
        AMQPValue::FieldArray(values) => {
            return values.as_slice().iter().for_each(|value| tell_value(text, value));
        }
        AMQPValue::FieldTable(table) => {
            for (name, value) in table.inner() {
                let _ = write!(text, "{name}: ");
                tell_value(text, value);
            }
            return;
        }
        number => writeln!(text, "{number:?}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_broker_keeps_is_left_out() {
        let mut deep = FieldTable::default();
        deep.insert("reason".into(), AMQPValue::LongString("in a table".into()));
        let mut headers = FieldTable::default();
        let list = vec![AMQPValue::FieldTable(deep), AMQPValue::ShortString("in a list".into())];
        headers.insert("x-death".into(), AMQPValue::FieldArray(list.into()));
        headers.insert("bytes".into(), AMQPValue::ByteArray(b"in bytes".to_vec().into()));
        headers.insert("number".into(), AMQPValue::LongLongInt(4242));
        let properties = BasicProperties::default()
            .with_headers(headers)
            .with_message_id("an id".into())
            .with_type("a type".into())
            .with_correlation_id("a correlation".into());
        let mut text = String::new();
        tell(&mut text, &properties);
        for known in [
            "x-death",
            "in a table",
            "in a list",
            "in bytes",
            "4242",
            "an id",
            "a type",
            "a correlation",
        ] {
            assert!(text.contains(known), "{known}: {text}");
        }
    }
}
