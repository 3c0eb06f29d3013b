//! The order book over HTTP: parse, run the command, show the result.

mod blacklist;
mod changes;
mod counts;
mod exchanges;
mod export;
mod family;
mod fulfilments;
mod handovers;
mod hold_queue;
mod hold_rules;
mod holds;
mod import;
mod line_views;
mod moves;
mod optional;
mod orders;
mod payments;
mod pos;
mod returns;
mod search;
mod service_levels;
mod sheets;
mod stuck;
mod summary;
mod timeline;
mod totals;
mod tracking;
mod views;

use std::time::Duration;

use ::store::{BatchOptions, Batcher, Store};
use service::Platform;
use utoipa::OpenApi;
use web::{Access, Route, Routes, with_state};

use crate::app::judge_orders::InForce;
use crate::app::place_orders::{Place, Placed, Refusal, Terms, place_orders};
use crate::app::references::References;
use crate::app::settled::Settled;
use crate::settings::{OrderSettings, Rules};

/// How the routes are described.
#[derive(OpenApi)]
#[openapi(
    paths(
        orders::place, orders::get, search::list, orders::cancel, changes::change, payments::receive, payments::capture, payments::void, payments::refund, import::import, summary::summary,
        holds::hold, holds::release, hold_queue::list, hold_queue::release,
        hold_rules::post, hold_rules::list, hold_rules::schema, hold_rules::get, hold_rules::activate,
        blacklist::put, blacklist::list, blacklist::remove,
        counts::counts, stuck::list, timeline::timeline, family::family, export::export,
        moves::import, fulfilments::list, fulfilments::get, fulfilments::accept, fulfilments::reject, fulfilments::pick,
        fulfilments::pack, fulfilments::ship, fulfilments::deliver, fulfilments::ready, fulfilments::collect,
        tracking::track, tracking::get, handovers::create, handovers::get,
        service_levels::list,
        returns::request, returns::get, returns::list, returns::approve, returns::receive, returns::inspect,
        returns::refund, returns::cancel,
        pos::transactions::record, pos::transactions::list, pos::transactions::get, pos::days::close, pos::days::list,
        pos::days::gaps, pos::feed::feed,
    ),
    tags((name = "order", description = "One order book: intake, fulfilment, returns"))
)]
pub struct Document;

/// What the handlers work with. Cloning shares it.
#[derive(Clone)]
pub struct App {
    store: Store,
    references: References,
    intake: Batcher<Place, Placed, Refusal>,
    settled: Settled,
    in_force: InForce,
    rules: Rules,
}

impl App {
    /// Starts what the handlers work with.
    pub fn start(platform: &Platform, settings: &OrderSettings, references: References) -> Self {
        let rules = settings.rules(platform.zone);
        let options = BatchOptions {
            name: "place_orders",
            max_batch: size(settings.intake_batch),
            lanes: size(settings.intake_lanes),
            rest: Duration::from_millis(settings.intake_rest_ms.into()),
            queue: size(settings.intake_queue),
        };
        let in_force = InForce::default();
        let terms = Terms { rules, in_force: in_force.clone() };
        Self {
            store: platform.store.clone(),
            references,
            intake: Batcher::new(&platform.store, options, &platform.lifecycle, move |tx, orders| {
                place_orders(tx, orders, &terms)
            }),
            settled: Settled::start(platform.store.clone(), &platform.lifecycle),
            in_force,
            rules,
        }
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).max(1)
}

/// The routes with what they need.
pub fn routes(app: App) -> Routes {
    let [order_read, order_write] = ["order:read", "order:write"].map(Access::Permission);
    let [order_hold, order_release] = ["order:hold", "order:release"].map(Access::Permission);
    let order_blacklist = Access::Permission("order:blacklist");
    let [rule_read, rule_write] = ["hold_rule:read", "hold_rule:write"].map(Access::Permission);
    let [fulfilment_read, fulfilment_write] = ["fulfilment:read", "fulfilment:write"].map(Access::Permission);
    let [pos_read, pos_write] = ["pos:read", "pos:write"].map(Access::Permission);
    let return_write = Access::Permission("return:write");
    let mut all = return_routes();
    all.extend([
        Route::post("/v1/orders", order_write, orders::place),
        Route::get("/v1/orders", order_read, search::list),
        Route::post("/v1/orders/import", order_write, import::import),
        Route::get("/v1/orders/summary", order_read, summary::summary),
        Route::get("/v1/orders/counts", order_read, counts::counts),
        Route::get("/v1/orders/stuck", order_read, stuck::list),
        Route::get("/v1/orders/export", order_read, export::export),
        Route::get("/v1/orders/{id}", order_read, orders::get),
        Route::get("/v1/orders/{id}/family", order_read, family::family),
        Route::get("/v1/orders/{id}/timeline", order_read, timeline::timeline),
        Route::patch("/v1/orders/{id}", order_write, changes::change),
        Route::post("/v1/orders/{id}/payments", order_write, payments::receive),
        Route::post("/v1/orders/{id}/payments/{sequence}/capture", order_write, payments::capture),
        Route::post("/v1/orders/{id}/payments/{sequence}/void", order_write, payments::void),
        Route::post("/v1/orders/{id}/refunds", return_write, payments::refund),
        Route::post("/v1/orders/{id}/cancel", order_write, orders::cancel),
        Route::post("/v1/orders/{id}/hold", order_hold, holds::hold),
        Route::post("/v1/orders/{id}/release", order_release, holds::release),
        Route::get("/v1/order-holds", order_read, hold_queue::list),
        Route::post("/v1/order-holds/release", order_release, hold_queue::release),
        Route::post("/v1/order-hold-rules", rule_write, hold_rules::post),
        Route::get("/v1/order-hold-rules", rule_read, hold_rules::list),
        Route::get("/v1/order-hold-rules/schema", rule_read, hold_rules::schema),
        Route::get("/v1/order-hold-rules/{version}", rule_read, hold_rules::get),
        Route::post("/v1/order-hold-rules/{version}/activate", rule_write, hold_rules::activate),
        Route::put("/v1/order-blacklist", order_blacklist, blacklist::put),
        Route::get("/v1/order-blacklist", order_blacklist, blacklist::list),
        Route::delete("/v1/order-blacklist/{id}", order_blacklist, blacklist::remove),
        Route::get("/v1/fulfilments", fulfilment_read, fulfilments::list),
        Route::post("/v1/fulfilments/import", fulfilment_write, moves::import),
        Route::get("/v1/fulfilments/{id}", fulfilment_read, fulfilments::get),
        Route::post("/v1/fulfilments/{id}/accept", fulfilment_write, fulfilments::accept),
        Route::post("/v1/fulfilments/{id}/reject", fulfilment_write, fulfilments::reject),
        Route::post("/v1/fulfilments/{id}/pick", fulfilment_write, fulfilments::pick),
        Route::post("/v1/fulfilments/{id}/pack", fulfilment_write, fulfilments::pack),
        Route::post("/v1/fulfilments/{id}/ship", fulfilment_write, fulfilments::ship),
        Route::post("/v1/fulfilments/{id}/deliver", fulfilment_write, fulfilments::deliver),
        Route::post("/v1/fulfilments/{id}/ready", fulfilment_write, fulfilments::ready),
        Route::post("/v1/fulfilments/{id}/collect", fulfilment_write, fulfilments::collect),
        Route::post("/v1/fulfilments/{id}/tracking", fulfilment_write, tracking::track),
        Route::get("/v1/fulfilments/{id}/tracking", fulfilment_read, tracking::get),
        Route::get("/v1/fulfilment-statistics", fulfilment_read, service_levels::list),
        Route::post("/v1/handover-lists", fulfilment_write, handovers::create),
        Route::get("/v1/handover-lists/{id}", fulfilment_read, handovers::get),
        Route::post("/v1/pos/transactions", pos_write, pos::transactions::record),
        Route::get("/v1/pos/transactions", pos_read, pos::transactions::list),
        Route::get("/v1/pos/transactions/{id}", pos_read, pos::transactions::get),
        Route::post("/v1/pos/days", pos_write, pos::days::close),
        Route::get("/v1/pos/days", pos_read, pos::days::list),
        Route::get("/v1/pos/gaps", pos_read, pos::days::gaps),
        Route::get("/v1/pos/feed", pos_read, pos::feed::feed),
    ]);
    with_state(app, all)
}

fn return_routes() -> Vec<Route> {
    let [return_read, return_write] = ["return:read", "return:write"].map(Access::Permission);
    vec![
        Route::post("/v1/returns", return_write, returns::request),
        Route::get("/v1/returns", return_read, returns::list),
        Route::get("/v1/returns/{id}", return_read, returns::get),
        Route::post("/v1/returns/{id}/approve", return_write, returns::approve),
        Route::post("/v1/returns/{id}/receive", return_write, returns::receive),
        Route::post("/v1/returns/{id}/inspect", return_write, returns::inspect),
        Route::post("/v1/returns/{id}/refund", return_write, returns::refund),
        Route::post("/v1/returns/{id}/cancel", return_write, returns::cancel),
    ]
}
