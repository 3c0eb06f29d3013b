//! Orders by the million, written as the order book would have left them: copies of orders that it took, delivered long ago,
//! in fifty channels over two years.

use std::time::Instant;

use kernel::Timestamp;

use super::super::load;
use super::super::orders::{self, CONNECTIONS};
use super::super::report::{Limit, Report};
use crate::{Api, Deployment, checks};

/// Orders that all others are copies of.
const TEMPLATES: usize = 2_000;
/// Orders written at once.
const CHUNK: usize = 250_000;
/// Channels that the orders lie in.
pub const CHANNELS: usize = 50;
/// When the first of them was placed, and how far the next is from it, in milliseconds: five million take two years.
const FIRST_MILLIS: i64 = 1_727_740_800_000;
const APART_MILLIS: i64 = 12_600;

/// When the order was placed that so many came before.
pub fn placed_at(number: usize) -> Timestamp {
    let number = i64::try_from(number).expect("a few million");
    Timestamp::from_unix_micros((FIRST_MILLIS + number * APART_MILLIS) * 1_000)
}

/// Takes the orders that are copied, and waits until nothing of them is under way.
pub async fn templates(deployment: &Deployment, api: &Api) {
    let asked = orders::orders(api.host("order"), TEMPLATES, "template", 4);
    let taken = load::run(api.token(), CONNECTIONS, asked, None).await.with_status(201);
    assert_eq!(taken, TEMPLATES, "the templates are taken");
    checks::settled(deployment).await;
    deployment.execute(&format!(
        "INSERT INTO \"order\".known_channels (channel, currency, active, version) \
         SELECT 'C-' || lpad(n::text, 2, '0'), 'CNY', true, 1 FROM generate_series(0, {CHANNELS} - 1) AS n; \
         CREATE SCHEMA bench; \
         CREATE TABLE bench.templates AS SELECT row_number() OVER (ORDER BY order_id) - 1 AS place, order_id AS template, \
            \"order\".order_document_terms(document) AS terms FROM \"order\".orders; \
         ALTER TABLE bench.templates ADD PRIMARY KEY (place); ANALYZE bench.templates",
    ));
}

/// Writes orders until there are so many. What guards and counts the tables is switched off, and what the job that sorts
/// orders in would do is done here.
pub fn fill(deployment: &Deployment, from: usize, to: usize, report: &mut Report) {
    let began = Instant::now();
    let mut written = from;
    while written < to {
        let until = (written + CHUNK).min(to);
        chunk(deployment, written, until);
        written = until;
    }
    if written > from {
        // As a book that has grown for years would be, with nothing of the filling left to write or to clean up.
        for table in [
            "orders",
            "order_lines",
            "order_history",
            "order_events",
            "order_numbers",
            "order_terms",
            "order_buyers",
            "order_counts",
            "fulfilments",
        ] {
            deployment.execute(&format!("VACUUM ANALYZE \"order\".{table}"));
        }
        deployment.execute("CHECKPOINT");
        report.figure(&format!("book_{to}_fill_seconds"), began.elapsed().as_secs_f64(), Limit::None);
    }
    let there = deployment.number("SELECT count(*) AS number FROM \"order\".order_numbers");
    report.must(&format!("{there} orders are in the book"), there >= i64::try_from(to).unwrap_or(i64::MAX));
}

fn chunk(deployment: &Deployment, from: usize, until: usize) {
    deployment.execute(&format!(
        "SET search_path = \"order\"; SET session_replication_role = replica; SET synchronous_commit = off; \
         CREATE TEMPORARY TABLE fresh AS \
         SELECT t.template, t.terms, 'B-' || n AS number, 'C-' || lpad((n % {CHANNELS})::text, 2, '0') AS channel, \
            to_timestamp(({FIRST_MILLIS} + n::bigint * {APART_MILLIS}) / 1000.0) AS at, \
            (lpad(to_hex({FIRST_MILLIS} + n::bigint * {APART_MILLIS}), 12, '0') || '7' || left(md5(n::text), 3) || '8' \
                || substr(md5(n::text), 4, 15))::uuid AS order_id \
         FROM generate_series({from}, {until} - 1) AS n JOIN bench.templates t ON t.place = n % {TEMPLATES}; \
         ANALYZE fresh; \
         INSERT INTO order_numbers (channel, channel_order_no, order_id, placed_at) \
         SELECT channel, number, order_id, at FROM fresh ORDER BY channel, number; \
         INSERT INTO orders (order_id, channel, channel_order_no, content, buyer_key, placed_at, created_at, created_by, \
            currency, list_amount, discount_amount, freight_amount, total_amount, fulfilment_kind, document, status, \
            payment_status, version) \
         SELECT f.order_id, f.channel, f.number, o.content, o.buyer_key, f.at, f.at, o.created_by, o.currency, \
            o.list_amount, o.discount_amount, o.freight_amount, o.total_amount, o.fulfilment_kind, o.document, \
            'completed', o.payment_status, 5 FROM fresh f JOIN orders o ON o.order_id = f.template ORDER BY f.order_id; \
         INSERT INTO order_lines (order_id, line_no, sku, channel_sku, category, components, quantity, unit_price, \
            own_discount, list_amount, discount_amount, paid_amount, freight_amount, shipped) \
         SELECT f.order_id, l.line_no, l.sku, l.channel_sku, l.category, l.components, l.quantity, l.unit_price, \
            l.own_discount, l.list_amount, l.discount_amount, l.paid_amount, l.freight_amount, l.quantity \
         FROM fresh f JOIN order_lines l ON l.order_id = f.template ORDER BY f.order_id, l.line_no; \
         INSERT INTO fulfilments (fulfilment_id, order_id, attempt, location, kind, status, lines, offered_at, changed_at) \
         SELECT gen_random_uuid(), f.order_id, p.attempt, p.location, p.kind, 'delivered', p.lines, f.at, f.at \
         FROM fresh f JOIN fulfilments p ON p.order_id = f.template ORDER BY f.order_id; \
         INSERT INTO order_history (order_id, at, actor, what) \
         SELECT f.order_id, f.at, h.actor, h.what FROM fresh f JOIN order_history h ON h.order_id = f.template \
         ORDER BY f.order_id; \
         INSERT INTO order_events (order_id, event_id, kind, at, source, summary) \
         SELECT f.order_id, e.event_id, e.kind, f.at, e.source, e.summary \
         FROM fresh f JOIN order_events e ON e.order_id = f.template ORDER BY f.order_id, e.event_id; \
         INSERT INTO order_buyers (digest, at, order_id) \
         SELECT b.digest, f.at, f.order_id FROM fresh f JOIN order_buyers b ON b.order_id = f.template \
         ORDER BY b.digest, f.at; \
         INSERT INTO order_terms (term, channel, placed_at, order_id) \
         SELECT t.term, f.channel, f.at, f.order_id FROM fresh f CROSS JOIN LATERAL (SELECT 'status:completed' AS term \
            UNION SELECT unnest(f.terms) UNION SELECT 'sku:' || l.sku FROM order_lines l WHERE l.order_id = f.template) t \
         ORDER BY t.term, f.channel, f.at; \
         INSERT INTO order_counts (channel, status, payment_status, orders) \
         SELECT channel, 'completed', 'paid', count(*) FROM fresh GROUP BY channel \
         ON CONFLICT (channel, status, payment_status) DO UPDATE SET orders = order_counts.orders + excluded.orders"
    ));
}
