//! The pool over HTTP.

mod adjustments;
mod availability;
mod backorders;
mod comparison;
mod counts;
mod damage;
mod debts;
mod deliveries;
mod export;
mod keyed;
mod locations;
mod plans;
mod proof;
mod receipts;
mod replays;
mod reservations;
mod rulesets;
mod shadows;
mod sharing;
mod sourcing;
mod step;
mod stock;
mod transfers;

use std::sync::Arc;

use chrono_tz::Tz;
use contracts::Problem;
use kernel::LocationCode;
use service::Platform;
use store::Store;
use tokio::sync::Notify;
use utoipa::OpenApi;
use web::{Access, Principal, Route, Routes, with_state};

use self::availability::Availability;
use crate::app::Pool;
use crate::settings::InventorySettings;

/// How the routes are described.
#[derive(OpenApi)]
#[openapi(
    paths(
        locations::put,
        locations::get,
        locations::list,
        locations::import,
        adjustments::post,
        adjustments::import,
        stock::of_sku,
        stock::list,
        stock::movements,
        proof::get,
        availability::get,
        availability::get_waterfall,
        sharing::put,
        sharing::get,
        sharing::delete,
        sharing::list,
        reservations::post,
        reservations::get,
        reservations::delete,
        reservations::extend,
        reservations::release,
        plans::post,
        rulesets::post,
        rulesets::list,
        rulesets::get,
        rulesets::activate,
        rulesets::shadow,
        rulesets::check,
        rulesets::examples,
        rulesets::schema,
        replays::post,
        replays::list,
        replays::get,
        shadows::get,
        sourcing::get,
        backorders::list,
        receipts::post,
        receipts::get,
        receipts::list,
        receipts::receive,
        receipts::close,
        transfers::post,
        transfers::get,
        transfers::list,
        transfers::ship,
        transfers::cancel,
        transfers::receive,
        counts::post,
        counts::get,
        counts::list,
        counts::submit,
        counts::cancel,
        damage::post,
        debts::list,
        export::export
    ),
    tags((name = "inventory", description = "One stock pool: locations, balances, reservations, sourcing"))
)]
pub struct Document;

/// What handlers work with.
#[derive(Clone)]
pub struct State {
    /// The service's database.
    store: Store,
    /// The service's settings.
    settings: InventorySettings,
    /// The retailer's time zone.
    zone: Tz,
    /// What the pool can promise, in memory.
    availability: Arc<Availability>,
    /// Holds, gathered into transactions.
    holds: reservations::Holds,
    /// Adjustments, gathered into transactions.
    adjustments: adjustments::Adjustments,
    /// Woken when stock may have arrived that orders wait for.
    stock_arrived: Arc<Notify>,
}

impl State {
    /// What handlers work with.
    pub fn new(platform: &Platform, settings: InventorySettings, pool: Arc<Pool>, stock_arrived: Arc<Notify>) -> Self {
        Self {
            store: platform.store.clone(),
            settings,
            zone: platform.zone,
            availability: Arc::new(Availability::default()),
            holds: reservations::gather(platform, settings.hold_rules(), pool),
            adjustments: adjustments::gather(platform),
            stock_arrived,
        }
    }
}

/// The routes with what they need.
pub fn routes(state: State) -> Routes {
    let (location_read, location_write) = (Access::Permission("location:read"), Access::Permission("location:write"));
    let (stock_read, stock_write) = (Access::Permission("stock:read"), Access::Permission("stock:write"));
    let (hold_read, hold_write) = (Access::Permission("reservation:read"), Access::Permission("reservation:write"));
    let (sharing_read, sharing_write) = (Access::Permission("sharing:read"), Access::Permission("sharing:write"));
    let (sourcing_read, sourcing_write) = (Access::Permission("sourcing:read"), Access::Permission("sourcing:write"));
    with_state(
        state,
        vec![
            Route::put("/v1/locations/{code}", location_write, locations::put),
            Route::get("/v1/locations/{code}", location_read, locations::get),
            Route::get("/v1/locations", location_read, locations::list),
            Route::post("/v1/locations/import", location_write, locations::import),
            Route::post("/v1/stock/adjustments", stock_write, adjustments::post),
            Route::post("/v1/stock/import", stock_write, adjustments::import),
            Route::get("/v1/stock/proof", stock_read, proof::get),
            Route::get("/v1/stock/debts", stock_read, debts::list),
            Route::get("/v1/stock/{sku}", stock_read, stock::of_sku),
            Route::get("/v1/stock/{sku}/movements", stock_read, stock::movements),
            Route::get("/v1/stock", stock_read, stock::list),
            Route::get("/v1/availability", stock_read, availability::get),
            Route::get("/v1/availability/{sku}/waterfall", stock_read, availability::get_waterfall),
            Route::put("/v1/sharing-rules/{id}", sharing_write, sharing::put),
            Route::get("/v1/sharing-rules/{id}", sharing_read, sharing::get),
            Route::delete("/v1/sharing-rules/{id}", sharing_write, sharing::delete),
            Route::get("/v1/sharing-rules", sharing_read, sharing::list),
            Route::post("/v1/reservations", hold_write, reservations::post),
            Route::get("/v1/reservations/{id}", hold_read, reservations::get),
            Route::delete("/v1/reservations/{id}", hold_write, reservations::delete),
            Route::post("/v1/reservations/{id}/extend", hold_write, reservations::extend),
            Route::post("/v1/reservations/{id}/release", hold_write, reservations::release),
            Route::post("/v1/sourcing/plans", sourcing_read, plans::post),
            Route::post("/v1/sourcing/rulesets", sourcing_write, rulesets::post),
            Route::get("/v1/sourcing/rulesets", sourcing_read, rulesets::list),
            Route::get("/v1/sourcing/rulesets/examples", sourcing_read, rulesets::examples),
            Route::get("/v1/sourcing/rulesets/schema", sourcing_read, rulesets::schema),
            Route::get("/v1/sourcing/rulesets/{version}", sourcing_read, rulesets::get),
            Route::post("/v1/sourcing/rulesets/{version}/activate", sourcing_write, rulesets::activate),
            Route::post("/v1/sourcing/rulesets/{version}/shadow", sourcing_write, rulesets::shadow),
            Route::post("/v1/sourcing/rulesets/{version}/lint", sourcing_read, rulesets::check),
            Route::get("/v1/orders/{id}/sourcing", sourcing_read, sourcing::get),
            Route::get("/v1/backorders", sourcing_read, backorders::list),
        ]
        .into_iter()
        .chain(documents())
        .chain(what_if())
        .collect(),
    )
}

/// The routes of comparisons between rulesets.
fn what_if() -> Vec<Route> {
    let (sourcing_read, sourcing_write) = (Access::Permission("sourcing:read"), Access::Permission("sourcing:write"));
    vec![
        Route::post("/v1/sourcing/replays", sourcing_write, replays::post),
        Route::get("/v1/sourcing/replays", sourcing_read, replays::list),
        Route::get("/v1/sourcing/replays/{id}", sourcing_read, replays::get),
        Route::get("/v1/sourcing/rulesets/{version}/shadow-report", sourcing_read, shadows::get),
    ]
}

/// The routes of stock documents. Counting has permissions of its own: who counts need not see what the books say.
fn documents() -> Vec<Route> {
    let (stock_read, stock_write) = (Access::Permission("stock:read"), Access::Permission("stock:write"));
    let (count_read, count_write) = (Access::Permission("count:read"), Access::Permission("count:write"));
    vec![
        Route::post("/v1/receipts", stock_write, receipts::post),
        Route::get("/v1/receipts/{id}", stock_read, receipts::get),
        Route::get("/v1/receipts", stock_read, receipts::list),
        Route::post("/v1/receipts/{id}/receive", stock_write, receipts::receive),
        Route::post("/v1/receipts/{id}/close", stock_write, receipts::close),
        Route::post("/v1/transfers", stock_write, transfers::post),
        Route::get("/v1/transfers/{id}", stock_read, transfers::get),
        Route::get("/v1/transfers", stock_read, transfers::list),
        Route::post("/v1/transfers/{id}/ship", stock_write, transfers::ship),
        Route::post("/v1/transfers/{id}/cancel", stock_write, transfers::cancel),
        Route::post("/v1/transfers/{id}/receive", stock_write, transfers::receive),
        Route::post("/v1/counts", count_write, counts::post),
        Route::get("/v1/counts/{id}", count_read, counts::get),
        Route::get("/v1/counts", count_read, counts::list),
        Route::post("/v1/counts/{id}/submit", count_write, counts::submit),
        Route::post("/v1/counts/{id}/cancel", count_write, counts::cancel),
        Route::post("/v1/stock/damage", stock_write, damage::post),
        Route::get("/v1/stock/export", stock_read, export::export),
    ]
}

/// Refuses a text that is empty, too long or has control characters in it.
fn check_text(field: &str, text: &str, most: usize) -> Result<(), Problem> {
    if text.trim().is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
        return Err(Problem::invalid(field, format!("has 1 to {most} characters, no control characters among them")));
    }
    Ok(())
}

/// The locations a list is bound to: the caller's scope, in which the one asked for must lie.
fn locations_asked(principal: &Principal, location: Option<&LocationCode>) -> Result<Option<Vec<String>>, Problem> {
    location.map_or(Ok(()), |location| principal.require_location(location))?;
    Ok(principal.location_filter())
}
