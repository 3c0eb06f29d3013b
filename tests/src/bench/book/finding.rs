//! Lists and searches of orders.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;

use super::super::load::{self, Request};
use super::super::orders::{CHANNEL, SKUS, sku};
use super::super::report::{Limit, Report};
use super::fill;
use crate::Api;

/// Pages of each kind.
const PAGES: usize = 300;
/// So many at once that the figure is how long a page takes, and not how long it waits for the others.
const READERS: usize = 2;

/// How long a page of each kind takes with so many orders in the book.
pub async fn measure(api: &Api, size: usize, report: &mut Report) {
    let mut random = StdRng::seed_from_u64(21);
    let mut kinds: Vec<(&str, Vec<String>)> = Vec::new();
    let mut kind = |name, query: &mut dyn FnMut(&mut StdRng) -> String| {
        kinds.push((name, (0..PAGES).map(|_| query(&mut random)).collect()));
    };
    let any_sku = |random: &mut StdRng| sku(random.random_range(0..SKUS));
    let channel = |random: &mut StdRng| format!("C-{:02}", random.random_range(0..fill::CHANNELS));
    kind("newest", &mut |_| String::new());
    kind("of_channel", &mut |random| format!("channel={}", channel(random)));
    kind("of_status", &mut |random| format!("status=completed&channel={}", channel(random)));
    kind("of_sku", &mut |random| format!("sku={}", any_sku(random)));
    kind("of_sku_and_status", &mut |random| format!("sku={}&status=unfillable,cancelled", any_sku(random)));
    kind("of_sku_and_common_status", &mut |random| format!("sku={}&status=completed", any_sku(random)));
    kind("of_guide", &mut |random| format!("guide=GUIDE-{}", random.random_range(0..500)));
    kind("of_phone", &mut |random| format!("phone_tail={:04}", random.random_range(0..10_000)));
    kind("of_number", &mut |random| format!("order_no=B-{}", random.random_range(0..size.max(1))));
    kind("of_number_prefix", &mut |random| {
        format!("channel={CHANNEL}&order_no_prefix=book-{size}-{}", random.random_range(0..2_000))
    });
    kind("of_days", &mut |random| {
        let number = random.random_range(0..size.max(1));
        format!("from={}&until={}", fill::placed_at(number), fill::placed_at(number + 10_000))
    });
    let url = api.host("order");
    for (name, queries) in kinds {
        let page = |query: String| Request {
            method: Method::GET,
            url: format!("{url}/v1/orders?limit=50&{query}"),
            body: String::new(),
        };
        let outcome = load::run(api.token(), READERS, queries.into_iter().map(page).collect(), None).await;
        report.must(&format!("every page was answered, {:?}", outcome.statuses), outcome.with_status(200) == PAGES);
        let figure = format!("book_{size}_page_{name}");
        report.figure(&format!("{figure}_p50_ms"), outcome.percentile_ms(50.0), Limit::None);
        report.figure(&format!("{figure}_p99_ms"), outcome.percentile_ms(99.0), Limit::AtMost(50.0));
    }
}
